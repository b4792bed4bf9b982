/** Group commit by itself: how writes gather, and what becomes of them when a statement fails. */
import pg from 'pg';
import t from 'tap';
import { GroupCommit } from '../../src/store/group-commit.js';

/** Statements that end only when the test says so. */
class Statements {
  readonly groups: (readonly string[])[] = [];
  underWay = 0;
  mostUnderWay = 0;
  private readonly ends: (() => void)[] = [];

  readonly write = async (items: readonly string[]): Promise<string[]> => {
    this.groups.push(items);
    this.underWay += 1;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    await new Promise<void>((resolve) => this.ends.push(resolve));
    this.underWay -= 1;
    return items.map((item) => `${item} is written`);
  };

  /** Ends statements, oldest first, until none is left. */
  async endAll(): Promise<void> {
    await turns();
    while (this.ends.length > 0) {
      this.ends.shift()?.();
      await turns();
    }
  }
}

/** Lets everything happen that is due now. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const named = (count: number) => Array.from({ length: count }, (_, at) => `w${at}`);

t.test('what arrives together is one statement, and each gets its own result', async (t) => {
  const statements = new Statements();
  const group = new GroupCommit(statements.write);
  const results = Promise.all(named(5).map((item) => group.add(item)));
  await statements.endAll();
  t.strictSame(statements.groups, [named(5)]);
  t.strictSame(
    await results,
    named(5).map((item) => `${item} is written`),
  );
});

t.test('what arrives while two statements are under way waits and goes together', async (t) => {
  const statements = new Statements();
  const group = new GroupCommit(statements.write);
  const results: Promise<string>[] = [];
  for (const item of ['a', 'b', 'c', 'd', 'e']) {
    results.push(group.add(item));
    await turns();
  }
  t.strictSame(statements.groups, [['a'], ['b']], 'the third waits for a place');
  await statements.endAll();
  t.strictSame(statements.groups, [['a'], ['b'], ['c', 'd', 'e']]);
  t.equal(statements.mostUnderWay, 2);
  t.equal((await Promise.all(results)).at(-1), 'e is written');
});

t.test('a crowd is cut into statements of bounded size, in order, nobody forgotten', async (t) => {
  const statements = new Statements();
  const group = new GroupCommit(statements.write);
  const results = Promise.all(named(1000).map((item) => group.add(item)));
  await statements.endAll();
  t.equal((await results).length, 1000);
  t.strictSame(statements.groups.flat(), named(1000));
  for (const { length } of statements.groups) t.ok(length <= 256, `${length} in one statement`);
});

t.test('one that cannot be written does not hinder the others', async (t) => {
  const groups: (readonly string[])[] = [];
  const group = new GroupCommit(async (items: readonly string[]) => {
    groups.push(items);
    if (items.includes('bad')) throw new pg.DatabaseError('a constraint is violated', 0, 'error');
    return items.map((item) => item.toUpperCase());
  });
  const results = await Promise.allSettled(['a', 'bad', 'b'].map((item) => group.add(item)));
  t.match(results, [
    { status: 'fulfilled', value: 'A' },
    { status: 'rejected', reason: { message: 'a constraint is violated' } },
    { status: 'fulfilled', value: 'B' },
  ]);
  t.strictSame(groups, [['a', 'bad', 'b'], ['a'], ['bad'], ['b']]);
});

t.test('what may have been written although it failed is not written again', async (t) => {
  let statements = 0;
  const group = new GroupCommit(async (): Promise<string[]> => {
    statements += 1;
    throw Object.assign(new Error('write ENETDOWN'), { code: 'ENETDOWN' });
  });
  const results = await Promise.allSettled(['a', 'b', 'c'].map((item) => group.add(item)));
  t.ok(results.every(({ status }) => status === 'rejected'));
  t.equal(statements, 1);
});

t.test('with the database away nobody is tried alone, and later writes go through', async (t) => {
  let isAway = true;
  let statements = 0;
  const group = new GroupCommit(async (items: readonly string[]) => {
    statements += 1;
    if (isAway) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    return items;
  });
  const results = await Promise.allSettled(['a', 'b', 'c'].map((item) => group.add(item)));
  t.ok(results.every(({ status }) => status === 'rejected'));
  t.equal(statements, 1);
  isAway = false;
  t.equal(await group.add('d'), 'd');
});
