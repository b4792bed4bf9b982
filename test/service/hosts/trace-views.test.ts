/** The trace of a host with the registers around each entry: found backwards, they are what the host held then. */
import t from 'tap';
import type { ScriptAction } from '../../../schemas/script.js';
import { findCpuModel } from '../../../src/pmu/arch/cpu-models.js';
import { FIXED_CTR_CTRL, PEBS_ENABLE } from '../../../src/pmu/arch/msr.js';
import { INVARIANTS } from '../../../src/pmu/invariants/index.js';
import { findKernel } from '../../../src/pmu/kernels/index.js';
import { TOLD_MSRS } from '../../../src/pmu/machine/registers.js';
import { DESIRED, type Frame, VALUE, VIOLATED } from '../../../src/pmu/stepping/frame.js';
import type { TraceEntry } from '../../../src/pmu/stepping/run.js';
import { createHost, type Host } from '../../../src/service/hosts/host.js';
import { HostSession } from '../../../src/service/hosts/host-session.js';
import { runScript } from '../../../src/service/hosts/scripts.js';
import { readTrace } from '../../../src/service/hosts/trace-text.js';
import {
  framed,
  frameNow,
  registersBefore,
  traceItems,
} from '../../../src/service/hosts/trace-views.js';
import { ProblemError } from '../../../src/service/problem-error.js';
import { Dice } from '../../pmu/random-walk.js';
import { randomAction } from './random-actions.js';

function newHost(cpus: number): Host {
  const model = findCpuModel('emerald-rapids')!;
  return createHost({
    id: 'host_1',
    createdAt: '2026-11-23T12:00:00.000Z',
    model,
    kernel: findKernel('linux-7.2.6')!,
    stepping: model.defaultStepping,
    microcode: { hi: 0, lo: 0 },
    cpus,
    options: {},
  });
}

async function act(host: Host, actions: readonly ScriptAction[]): Promise<Host> {
  const session = new HostSession(host);
  try {
    await runScript(session, { actions: [...actions] });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return host;
  }
  return session.finish();
}

const PEBS: ScriptAction = {
  action: 'open_event',
  cpu: 0,
  counter: 'PMC0',
  precise_ip: 2,
  exclude_guest: true,
};
const trip = (more: object = {}): ScriptAction => ({
  action: 'transition',
  vcpu: 'v0',
  kind: 'round_trip',
  count: 1,
  exit_reason: 'external_interrupt',
  trace: false,
  ...more,
});
const throttled = { at: 'k4_list_build', occurrence: 1, nmi: { throttle: ['PMC0'] } };
/** The main race: a PMI between the list and its use. */
const RACE: readonly ScriptAction[] = [
  PEBS,
  { action: 'add_vcpu', cpu: 0, name: 'v0' },
  trip({ inject: [throttled] }),
];

/** A frame as it was before vCPUs came that it cannot know of. */
function without(frame: Frame | null, { vcpus }: Frame): unknown {
  const later = frame?.vcpus.slice(vcpus.length) ?? [];
  const isEmpty = later.every((columns) => columns.every((value) => value === 0));
  return isEmpty ? { cpus: frame?.cpus, vcpus: frame?.vcpus.slice(0, vcpus.length) } : frame;
}

t.test('going back from now leads to what the host held before every action', async (t) => {
  let seen = 0;
  for (let seed = 0; seed < 30; seed += 1) {
    const dice = new Dice(seed);
    let host = newHost(1 + (seed % 3));
    const starts: { index: number; frame: Frame }[] = [];
    for (let step = 0; step < 40; step += 1) {
      const actions = step === 0 ? RACE.slice(0, 2) : [randomAction(host, dice)];
      const next = await act(host, actions);
      const { happened } = host.tally;
      if (next.tally.happened > happened)
        starts.push({ index: happened + 1, frame: frameNow(host) });
      host = next;
    }
    const entries = framed(host, readTrace([host.tail.text]));
    for (const { index, frame } of starts) {
      const found = entries.find(({ entry }) => entry.index === index);
      // Of an action that takes many transitions the trace has only the last.
      if (found === undefined) continue;
      seen += 1;
      const before = without(found.before, frame);
      if (JSON.stringify(before) !== JSON.stringify(frame)) {
        t.strictSame(before, frame, `seed ${seed}, ${index}`);
      }
    }
  }
  t.ok(seen > 200, `${seen} actions`);
});

t.test(
  'a register holds what the entry wrote last, and violations begin as often as counted',
  async (t) => {
    const host = await act(newHost(1), RACE);
    const entries = framed(host, readTrace([host.tail.text]));
    const begun = INVARIANTS.map(() => 0);
    let written = 0;
    for (const { entry, before, after } of entries) {
      TOLD_MSRS.forEach((msr, at) => {
        const write = entry.writes.findLast((one) => one.msr === msr);
        const [was, is] = [before?.cpus[0]?.[VALUE + at], after?.cpus[0]?.[VALUE + at]];
        t.equal(is, write === undefined ? was : write.value, `${entry.index} ${entry.at}`);
        if (write !== undefined) written += 1;
      });
      const [was, is] = [before?.cpus[0]?.[VIOLATED] ?? 0, after?.cpus[0]?.[VIOLATED] ?? 0];
      begun.forEach((_, at) => {
        if (is & ~was & (1 << at)) begun[at]! += 1;
      });
    }
    t.ok(written > 10);
    t.strictSame(begun, [...host.tally.violations], 'one beginning an episode');
    t.ok(begun[INVARIANTS.findIndex(({ id }) => id === 'I1')], 'I1 among them');
  },
);

t.test('the items say what perf wants and where an invariant fails', async (t) => {
  const host = await act(newHost(1), RACE);
  const entries = framed(host, readTrace([host.tail.text]));
  const items = traceItems(host, entries);
  const nmi = items.find(({ at }) => at === 'nmi_throttle');
  t.strictSame(
    nmi?.desired,
    [{ cpu: 0, msr: 'IA32_PEBS_ENABLE', value: '0x0000000000000000' }],
    'the NMI takes the bit away',
  );
  t.ok(items.at(-1)?.violated.includes('I1'), 'stuck at the end');
  t.notOk(nmi?.violated.includes('I1'), 'and not yet at the NMI');
  const [cpu] = registersBefore(host, entries.slice(items.indexOf(nmi!))) ?? [];
  const pebs = cpu?.msrs.find(({ msr }) => msr === 'IA32_PEBS_ENABLE');
  t.match(pebs, { value: '0x0000000000000001', desired: '0x0000000000000001' });
  t.strictSame(registersBefore(host, [])?.[0]?.msrs.length, 5, 'with no entry, those of now');
});

t.test('what happened in a gap of the trace is told', async (t) => {
  const before = await act(newHost(1), RACE.slice(0, 2));
  // A long request is traced at its end only, and this NMI comes near its beginning.
  const early = { ...throttled, occurrence: 100 };
  const host = await act(before, [trip({ count: 500, inject: [early] })]);
  const entries = framed(host, readTrace([host.tail.text]));
  const items = traceItems(host, entries);
  const gap = items.findIndex(({ index }, at) => at > 0 && index !== items[at - 1]!.index + 1);
  t.ok(gap < 0 || items[gap]?.registers_before, 'the gap is within the trace, or before it');
  t.strictSame(
    items.flatMap(({ desired }) => desired),
    [],
    'no step is said to have done what happened in the gap',
  );
  const [cpu] = registersBefore(host, entries) ?? [];
  t.match(
    cpu?.msrs.find(({ msr }) => msr === 'IA32_PEBS_ENABLE'),
    { value: '0x0000000000000001', desired: '0x0000000000000000' },
    'stuck before the first item',
  );
  t.ok(cpu?.violated.includes('I1'));
});

t.test('entries of an earlier version have no registers before them', async (t) => {
  const host = await act(newHost(1), RACE);
  const entries = readTrace([host.tail.text]);
  const old: TraceEntry[] = entries.map((entry, at) =>
    at < 3 ? { ...entry, changes: undefined } : entry,
  );
  const found = framed(host, old);
  t.equal(registersBefore(host, found), null);
  t.not(registersBefore(host, found.slice(3)), null);
  t.strictSame(traceItems(host, found)[0]?.desired, []);
  t.strictSame(
    readTrace(['[1,0,-1,"kvm","k1_run"],[2,0,0,"kvm","k5_switch:IA32_PEBS_ENABLE",3,0,0,"k5"]']),
    [
      {
        index: 1,
        cpu: 0,
        vcpu: undefined,
        actor: 'kvm',
        at: 'k1_run',
        writes: [],
        changes: undefined,
        missed: [],
      },
      {
        index: 2,
        cpu: 0,
        vcpu: 0,
        actor: 'kvm',
        at: 'k5_switch:IA32_PEBS_ENABLE',
        writes: [{ msr: PEBS_ENABLE, via: 0, value: 0, row: 'k5' }],
        changes: undefined,
        missed: [],
      },
    ],
    'and are still read',
  );
});

t.test('every column is of a register', async (t) => {
  const [columns] = frameNow(newHost(1)).cpus;
  t.equal(TOLD_MSRS.at(-1), FIXED_CTR_CTRL);
  t.equal(DESIRED, VALUE + TOLD_MSRS.length);
  t.ok((columns?.length ?? 0) > DESIRED);
});
