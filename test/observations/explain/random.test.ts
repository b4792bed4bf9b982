/** Recordings of our own, of random kernels and schedules: whose they are, and whose they are not. */
import process from 'node:process';
import t from 'tap';
import { Random } from '../../../src/explorer/prng.js';
import { isCompared, Symbols } from '../../../src/model/recordings/symbols.js';
import { formatU64 } from '../../../src/model/values.js';
import type { WorldSpec } from '../../../src/model/world-spec.js';
import { RunRecorder } from '../../../src/observations/explain/recorded-run.js';
import { ObservedRecord, type RecordKind } from '../../../src/observations/record.js';
import { CONTEXTS, RECORD_KINDS } from '../../../src/observations/vocabulary.js';
import { EVENTSEL, msrIndex } from '../../../src/pmu/arch/msr.js';
import { present } from '../../pmu/machine.js';
import { modelOf, pick, randomPath, randomWorld, tracedText } from './random-runs.js';
import { type Explained, explanationOf, recordsOf } from './recordings.js';

const KERNELS = [
  'linux-7.3.4',
  'linux-7.2.6',
  'linux-6.12.117',
  'linux-6.1.192',
  'upstream-base',
  'pebs-v2',
  'host-side-hardened',
];
const PAIRS = 3;
/** Overflows of an event that is stopped before the NMI comes; kernels that write IA32_PEBS_ENABLE without any event with PEBS; a group whose leader is closed first. */
const MORE_PAIRS = [24, 77, 93, 160];
const MODELS = ['emerald-rapids', 'ice-lake-sp', 'haswell-x'];

/** What a text shows, without facets: in an export, why the guest is left may be more exact than in a schedule. */
function shownIn(text: string): string[] {
  const symbols = new Symbols();
  const recorder = new RunRecorder(symbols);
  for (const record of recordsOf(text)) recorder.take(record);
  return [...recorder.run.symbols].map((symbol) => {
    const { what, of, value, facets } = symbols.of(symbol);
    return `${what} ${of} ${formatU64(value)} ${what === 'write' ? facets : ''}`;
  });
}

/** What the schedule makes on a live host is what was recorded, but that its last step may make more. */
async function makes({ model, path }: Explained, text: string): Promise<boolean> {
  const made = shownIn(await tracedText(present(model ?? undefined, 'model'), path));
  const recorded = shownIn(text);
  const ends = Array.from({ length: MORE_MAX }, (_, more) => made.length - more);
  return ends.some((end) => made.slice(end - recorded.length, end).join() === recorded.join());
}

/** An NMI that resets the PMU writes no more. */
const MORE_MAX = 20;

function given(
  kernel: string,
  cpu_model: string,
  { events = [], vcpus = [], actors = [] }: WorldSpec,
) {
  return { kernel, cpu_model, events, vcpus, actors };
}

for (const seed of [...Array(PAIRS).keys(), ...MORE_PAIRS]) {
  t.test(`pair ${seed}`, async (t) => {
    const dice = new Random(seed, 1);
    const [cpuModel, kernel] = [pick(dice, MODELS), pick(dice, KERNELS)];
    const world = randomWorld(dice, cpuModel, kernel);
    const model = modelOf(world);
    const path = randomPath(model, dice, 20 + dice.below(150));
    const text = await tracedText(model, path);
    const records = recordsOf(text);
    const inferred = explanationOf(records, { kernel, cpu_model: cpuModel });
    t.equal(inferred.verdict, 'explained', 'by what the recording tells alone');
    t.ok(await makes(inferred, text), 'and its schedule makes the same records');
    for (const other of new Set([kernel, pick(dice, KERNELS), pick(dice, KERNELS)])) {
      const found = explanationOf(records, given(other, cpuModel, world));
      const where = `${other} for ${kernel}`;
      if (found.verdict === 'explained') {
        t.ok(await makes(found, text), `${where}: its schedule makes the same records`);
        continue;
      }
      t.not(other, kernel, where);
      // Where it may have begun can be more than a search holds.
      t.ok(found.verdict === 'unexplained' || found.reason === 'statesMax', where);
      const same = await tracedText(modelOf({ ...world, kernel: other }), path).catch(() => '');
      t.notSame(shownIn(same), shownIn(text), `${where}: the schedule makes other records there`);
    }
  });
}

/** By hand 200. */
const ALTERED = 3;

t.test('a record that was altered is the first that no schedule reaches', async (t) => {
  for (let seed = 100; seed < 100 + ALTERED; seed += 1) {
    const { world, records } = await recorded(seed);
    const altered = pick(
      new Random(seed, 2),
      records.filter(({ kind, msr }) => kind === 'write' && msr !== null && isCompared(msr)),
    );
    const { hi, lo } = present(altered.value ?? undefined, 'value');
    // No CPU has such a bit, and a selector is on where it was off.
    const bit = isSelector(altered.msr!) ? 1 << 22 : 0x0800_0000;
    altered.value = { hi, lo: (lo ^ bit) >>> 0 };
    const { kernel, cpu_model } = world;
    for (const known of [world, { kernel, cpu_model }]) {
      const found = explanationOf(records, known);
      t.equal(found.verdict, 'unexplained', `seed ${seed}`);
      t.equal(found.run.lines[found.reached], altered.line);
      t.ok(found.instead.length > 0, 'with what could have been written');
    }
  }
});

function isSelector(index: number): boolean {
  return index >= msrIndex(EVENTSEL) && index < msrIndex(EVENTSEL) + 16;
}

t.test('records that were lost leave it explained, where the loss is declared', async (t) => {
  for (let seed = 200; seed < 210; seed += 1) {
    const { world, records } = await recorded(seed);
    const dice = new Random(seed, 3);
    const first = dice.below(records.length);
    const lost = new ObservedRecord(records[first]!.line, 'loss');
    lost.cpu = 0;
    records.splice(first, 1 + dice.below(records.length), lost);
    t.equal(explanationOf(records, world).verdict, 'explained', `seed ${seed}`);
  }
});

/** A recording of a small world. */
async function recorded(seed: number) {
  const dice = new Random(seed, 1);
  const world: WorldSpec = {
    ...randomWorld(dice, 'emerald-rapids', pick(dice, KERNELS)),
    events: [{ counter: 'PMC0', precise_ip: 2, sample_period: 100003, exclude_guest: true }],
    vcpus: [{}],
  };
  const model = modelOf(world);
  const text = await tracedText(model, randomPath(model, dice, 200));
  return { world, records: recordsOf(text) };
}

t.test('arbitrary records are no error', async (t) => {
  for (let seed = 0; seed < 40; seed += 1) {
    const dice = new Random(seed, 4);
    const records = Array.from({ length: dice.below(40) }, (_, line) => {
      const record = new ObservedRecord(line + 1, pick(dice, RECORD_KINDS));
      record.cpu = 0;
      record.msr = pick(dice, [null, 0x38f, 0x3f1, 0x38d, 0x390, 0x186, 0x18d, 0x3f2, 0xc1, 0x830]);
      const word = () => pick(dice, [0, 1, 0xff, 0x530081, 0x7, 0xffff_ffff, dice.next()]);
      record.value = dice.below(8) === 0 ? null : { hi: word(), lo: word() };
      record.context = pick(dice, CONTEXTS);
      record.vcpu = pick(dice, [null, 0, 1]);
      record.name = pick(dice, [null, 'HLT', 'EXCEPTION_NMI', 'INVALID_STATE FAILED_VMENTRY']);
      return record;
    });
    const found = explanationOf(
      records,
      { kernel: 'linux-7.3.4', cpu_model: 'emerald-rapids' },
      100,
    );
    t.ok(found.reached <= found.run.symbols.length, `seed ${seed}: ${found.verdict}`);
  }
});

t.test('ten thousand round trips take less than a minute and little memory', async (t) => {
  const records: ObservedRecord[] = [];
  const add = (kind: RecordKind, more: Partial<ObservedRecord> = {}): void => {
    const record = new ObservedRecord(records.length + 1, kind);
    records.push(Object.assign(record, { cpu: 0, vcpu: 0, pid: 1, context: 'task' }, more));
  };
  const write = (msr: number, hi: number, lo: number): void =>
    add('write', { msr, value: { hi, lo } });
  for (let trip = 1; trip <= 10_000; trip += 1) {
    add('vm_entry');
    write(0x3f1, 0, 0);
    add('vm_exit', { name: 'EXTERNAL_INTERRUPT' });
    if (trip % 10 === 0) {
      write(0x38f, 0, 0);
      write(0x3f1, 0, 0);
      write(0x3f1, 0, 1);
      write(0x38f, 0x1000f, 0xff);
    }
  }
  const before = process.memoryUsage().rss;
  const found = explanationOf(records, { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' });
  t.equal(found.verdict, 'explained');
  t.ok(found.millis < 60_000, `${Math.round(found.millis)} ms`);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  t.ok(grown < 300, `${Math.round(grown)} MB`);
  t.comment(`${Math.round(found.millis)} ms, ${Math.round(grown)} MB, ${found.states} states`);
});
