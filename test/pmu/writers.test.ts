/**
 * Who may write to a machine: the engine below `machine/actions.ts`. Everybody else acts, and what judges a machine only reads.
 * Assignments are found in the syntax, and whose fields they are by the compiler's types.
 */

import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import ts from 'typescript';
import { INVARIANTS, violatedAt } from '../../src/pmu/invariants/index.js';
import { runningVcpu } from '../../src/pmu/invariants/invariant.js';
import { MachineState } from '../../src/pmu/machine/state.js';
import { walk } from './random-walk.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const ENGINE = ['arch', 'perf', 'kvm', 'machine'].map((room) => `src/pmu/${room}/`);
/** The classes that a machine is made of. */
const RECORDS = new Set([
  'MachineState',
  'LogicalCpu',
  'Hardware',
  'CpuHwEvents',
  'SwitchList',
  'VcpuPmu',
  'MsrAutoload',
  'PerfEvent',
]);
/** Files that write records of their own making: a stored host read back, alike parts of a copy exchanged, a kernel asked. */
const OF_THEIR_OWN = /\/(host-image|host-image-format-1|symmetry|listed)\.ts$/;
/** The kernels fill the list that perf hands them. */
const LIST_MAKERS = 'src/pmu/kernels/';

const program = ts.createProgram([join(ROOT, 'src/server.ts'), ...explorationWorkers()], {
  ...ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    ROOT,
  ).options,
  noEmit: true,
});
const checker = program.getTypeChecker();

/** Threads are started by the name of their file, so nothing imports them. */
function explorationWorkers(): string[] {
  return ts.sys
    .readDirectory(join(ROOT, 'src'), ['.ts'])
    .filter((name) => /worker\.ts$/.test(name));
}

/** The record whose field an expression names, or an element of such a field. */
function recordOf(target: ts.Expression): string | undefined {
  if (!ts.isPropertyAccessExpression(target) && !ts.isElementAccessExpression(target)) {
    return undefined;
  }
  return recordNamed(target.expression) ?? recordOf(target.expression);
}

function recordNamed(expression: ts.Expression): string | undefined {
  const name = checker.getTypeAtLocation(expression).getSymbol()?.getName();
  return name !== undefined && RECORDS.has(name) ? name : undefined;
}

const CHANGES = /^(push|pop|splice|shift|unshift|sort|reverse|fill|set|copyWithin)$/;

/** What an expression writes, if it writes anything. */
function written(node: ts.Node): ts.Expression | undefined {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
    return assigns ? node.left : undefined;
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const { PlusPlusToken, MinusMinusToken } = ts.SyntaxKind;
    return [PlusPlusToken, MinusMinusToken].includes(node.operator as never)
      ? node.operand
      : undefined;
  }
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const { expression, name } = node.expression;
    return CHANGES.test(name.text) ? expression : undefined;
  }
  return undefined;
}

/** The record that an `Object.assign` writes to. */
function assigned(node: ts.Node): string | undefined {
  return ts.isCallExpression(node) && node.expression.getText() === 'Object.assign'
    ? recordNamed(node.arguments[0]!)
    : undefined;
}

function writesIn(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const target = written(node);
    const record = assigned(node) ?? (target && recordOf(target));
    if (record !== undefined) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push(`${relative(ROOT, source.fileName)}:${line + 1} ${record}: ${node.getText()}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function sources(wanted: (name: string) => boolean): ts.SourceFile[] {
  return program
    .getSourceFiles()
    .filter(({ fileName }) => !fileName.includes('node_modules'))
    .filter(({ fileName }) => wanted(relative(ROOT, fileName)));
}

const isEngine = (name: string): boolean => ENGINE.some((room) => name.startsWith(room));

t.test('writes are found where they are allowed', async (t) => {
  const found = sources(isEngine).flatMap(writesIn);
  t.ok(found.length > 150, `${found.length} of them`);
  for (const record of RECORDS) {
    t.ok(
      found.some((one) => one.includes(` ${record}: `)),
      record,
    );
  }
});

t.test('nobody outside the engine writes a field of a machine', async (t) => {
  const outside = sources((name) => name.startsWith('src/') && !isEngine(name));
  t.ok(outside.length > 100, `${outside.length} files`);
  const found = outside
    .filter(({ fileName }) => !OF_THEIR_OWN.test(fileName))
    .flatMap(writesIn)
    .filter((one) => !(one.startsWith(LIST_MAKERS) && one.includes(' SwitchList: ')));
  t.strictSame(found, []);
});

t.test('an invariant changes nothing, wherever it is evaluated', async (t) => {
  let looks = 0;
  const before = new MachineState();
  for (const kernel of ['linux-7.2.6', 'linux-7.3.4', 'pebs-v1', 'linux-6.1.192']) {
    for (let seed = 0; seed < 12; seed += 1) {
      const options = { operations: 40 + 3 * seed, migrate: true, nmis: true };
      const { machine: m } = walk('emerald-rapids', kernel, seed, options);
      const { state, world } = m;
      before.copyFrom(state);
      for (const cpu of state.cpus) {
        violatedAt(world, state, cpu);
        const vcpu = runningVcpu(state, cpu);
        for (const { id, holds } of INVARIANTS) {
          holds(world, state, cpu, vcpu);
          looks += 1;
          if (!isDeepStrictEqual(state, before)) t.fail(`${kernel}, seed ${seed}: ${id}`);
        }
      }
      t.strictSame(state, before, `${kernel}, seed ${seed}`);
    }
  }
  t.ok(looks > 1000, `${looks} looks`);
});

t.test('a world is frozen: what is added to a machine makes a new one', async (t) => {
  const { machine: m } = walk('emerald-rapids', 'linux-7.3.4', 1, {
    operations: 60,
    migrate: true,
  });
  const { world } = m;
  const writable = world as unknown as Record<string, unknown> & { eventConfigs: unknown[] };
  t.throws(() => {
    writable.kernel = null;
  }, TypeError);
  t.throws(() => writable.eventConfigs.push({}), TypeError);
  for (const part of [
    world,
    world.eventConfigs,
    world.guests,
    world.guestCaps,
    world.perfOptions,
  ]) {
    t.ok(Object.isFrozen(part));
  }
  const { eventConfigs } = world;
  const copy = structuredClone(eventConfigs);
  m.finish(0).finish(1).vcpu().event({ counter: 'PMC6' });
  t.not(m.world, world);
  t.equal(world.eventConfigs, eventConfigs);
  t.strictSame(eventConfigs, copy, 'the old one is as it was');
});
