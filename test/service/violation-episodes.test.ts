/** Violations are counted as episodes, from holding to violated on a CPU: however a history is told, it counts the same. */
import t from 'tap';
import type { ScriptAction } from '../../schemas/script.js';
import { findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { INVARIANTS, violatedAt } from '../../src/pmu/invariants/index.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import * as actions from '../../src/pmu/machine/actions.js';
import { IDLE } from '../../src/pmu/machine/state.js';
import { createHost, type Host } from '../../src/service/hosts/host.js';
import { hostConfig, hostImage, readHost } from '../../src/service/hosts/host-image.js';
import { HostSession } from '../../src/service/hosts/host-session.js';
import { runScript } from '../../src/service/hosts/scripts.js';
import { machine, present, set } from '../pmu/machine.js';
import { Dice } from '../pmu/random-walk.js';

const KERNELS = ['linux-7.2.6', 'pebs-v1', 'linux-7.3.4', 'zero-global-ctrl-e2'];
const MODELS = ['haswell-x', 'ice-lake', 'emerald-rapids'];
const PLACES = ['k4_list_build', 'k5_switch', 'k7_lapic_wait', 'guest', 'k12_fastpath'];
const ROUND_TRIP = {
  action: 'transition',
  vcpu: 'v0',
  kind: 'round_trip',
  exit_reason: 'external_interrupt',
  trace: false,
} as const;

type Way = (host: Host, trip: Trip) => Promise<Host>;
interface Trip {
  readonly count: number;
  readonly inject?: NonNullable<Extract<ScriptAction, { action: 'tick' }>['inject']>;
}

function boot(model: string, kernel: string): Host {
  const cpuModel = present(findCpuModel(model), model);
  return createHost({
    id: 'host_1',
    createdAt: '2026-01-01T00:00:00.000Z',
    model: cpuModel,
    kernel: present(findKernel(kernel), kernel),
    stepping: cpuModel.defaultStepping,
    microcode: { hi: 0, lo: 0 },
    cpus: 1,
    options: {},
  });
}

/** One request; between requests a host is in the database. */
async function asked(host: Host, ...script: ScriptAction[]): Promise<Host> {
  const session = new HostSession(host);
  await runScript(session, { actions: script });
  const done = session.finish();
  return readHost({
    id: done.id,
    version: done.version,
    config: JSON.parse(JSON.stringify(hostConfig(done))),
    image: hostImage(done),
    tail: done.tail.text,
    createdAt: new Date(done.createdAt),
  });
}

const byRoundTrip: Way = (host, trip) => asked(host, { ...ROUND_TRIP, ...trip });

/** As many micro-steps as the round trips take: one a request, or all in one where NMIs land among them. */
const byMicroSteps: Way = async (host, trip) => {
  const { tally } = await byRoundTrip(host, trip);
  const count = tally.microSteps - host.tally.microSteps;
  if (trip.inject !== undefined) {
    return asked(host, { ...ROUND_TRIP, ...trip, kind: 'micro_step', count });
  }
  let now = host;
  for (let step = 0; step < count; step += 1) {
    now = await asked(now, { ...ROUND_TRIP, kind: 'micro_step', count: 1 });
  }
  return now;
};

/** A host of seed's own with a history of its own, its transitions made one way or another, beside idle vCPUs. */
async function history(seed: number, idle: number, way: Way): Promise<Host> {
  const dice = new Dice(seed);
  const vcpus = Array.from({ length: 1 + idle }, (_, at) => ({
    action: 'add_vcpu' as const,
    name: `v${at}`,
  }));
  let host = await asked(
    boot(dice.pick(MODELS), dice.pick(KERNELS)),
    { action: 'open_event', name: 'a', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
    {
      action: 'open_event',
      name: 'b',
      counter: 'PMC1',
      precise_ip: 2,
      exclude_host: dice.chance(2),
    },
    ...vcpus,
  );
  for (let turn = 0; turn < 12; turn += 1) {
    const throttle = [dice.pick(['PMC0', 'PMC1'])];
    const event = dice.pick(['a', 'b']);
    const nmi = { at: dice.pick(PLACES), occurrence: 1, nmi: dice.chance(3) ? {} : { throttle } };
    const count = dice.pick([1, 1, 2, 40]);
    const action = dice.pick<ScriptAction>([
      { action: 'tick', cpu: 0 },
      { action: 'nmi', cpu: 0, throttle },
      {
        action: 'disable_event',
        event,
        inject: [{ at: 'd4_pebs_enable', occurrence: 1, nmi: { throttle } }],
      },
      { action: 'enable_event', event },
    ]);
    try {
      host = await way(host, dice.chance(2) ? { count, inject: [nmi] } : { count });
      host = await asked(host, action);
    } catch {
      // What is refused is refused in any way of telling.
    }
  }
  return host;
}

function counted({ tally, violated }: Host): object {
  return { violations: [...tally.violations], first: tally.firstViolations, now: [...violated] };
}

t.test('round trips, micro-steps and vCPUs that look on make no difference', async (t) => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 8; seed += 1) {
    const host = await history(seed, 0, byRoundTrip);
    t.strictSame(
      counted(await history(seed, 0, byMicroSteps)),
      counted(host),
      `micro-steps, ${seed}`,
    );
    t.strictSame(
      counted(await history(seed, 2, byRoundTrip)),
      counted(host),
      `three vCPUs, ${seed}`,
    );
    INVARIANTS.forEach(({ id }, at) => {
      if (host.tally.violations[at]! > 0) seen.add(id);
    });
  }
  t.ok(seen.size > 4, `violated: ${[...seen]}`);
});

t.test('a bit that stays stuck for a million round trips is one episode', async (t) => {
  const nmi = [{ at: 'k7_lapic_wait', occurrence: 1, nmi: { throttle: ['PMC0'] } }];
  let host = await asked(
    boot('emerald-rapids', 'upstream-base'),
    { action: 'open_event', name: 'a', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
    { action: 'add_vcpu', name: 'v0' },
    { ...ROUND_TRIP, count: 1, inject: nmi },
  );
  const countOf = (id: string): number =>
    host.tally.violations[INVARIANTS.findIndex((one) => one.id === id)]!;
  t.equal(countOf('I1'), 1);
  host = await asked(host, { ...ROUND_TRIP, count: 1_000_000 });
  t.equal(countOf('I1'), 1, 'still the same');
  host = await asked(host, { action: 'tick', cpu: 0 });
  host = await asked(host, { ...ROUND_TRIP, count: 1, inject: nmi });
  t.equal(
    countOf('I1'),
    2,
    'perf starts the event again, and the next NMI leaves its bit stuck again',
  );
});

t.test('an episode ends where an event is closed at once', async (t) => {
  const group = (name: string, counter: string): ScriptAction[] => [
    { action: 'open_event', name, counter, sample_period: 1000 },
    { action: 'open_event', name: `${name}1`, group_leader: name, disabled: true },
  ];
  const idleMembers = async (...script: ScriptAction[]): Promise<number> => {
    const host = await asked(
      boot('emerald-rapids', 'linux-6.16'),
      ...group('a', 'PMC0'),
      ...group('b', 'PMC1'),
      { action: 'nmi', cpu: 0, throttle: ['PMC0'] },
      ...script,
      { action: 'nmi', cpu: 0, throttle: ['PMC1'] },
    );
    return host.tally.violations[INVARIANTS.findIndex(({ id }) => id === 'I21')]!;
  };
  const close = { action: 'close_event', event: 'a1' } as const;
  t.equal(await idleMembers(), 1);
  t.equal(await idleMembers(close, { action: 'nmi', cpu: 0 }), 2);
  t.equal(await idleMembers(close), 2, 'whether or not anything comes in between');
});

t.test(
  'looking after every micro-step, also after those that change nothing, counts the same',
  async (t) => {
    for (let seed = 0; seed < 10; seed += 1) {
      const dice = new Dice(seed);
      const m = machine(dice.pick(MODELS), dice.pick(KERNELS));
      m.event({ counter: 'PMC0', preciseIp: 2, excludeGuest: true }).event({
        counter: 'PMC1',
        preciseIp: 2,
      });
      m.vcpu();
      const { run, cpu, state, world } = m;
      const counts = INVARIANTS.map((_, at) => run.tally.violations[at]!);
      let failing = run.violated[0]!;
      const look = (): void => {
        const now = violatedAt(world, state, cpu, failing);
        counts.forEach((_, at) => {
          if (now & ~failing & (1 << at)) counts[at]! += 1;
        });
        failing = now;
      };
      for (let step = 0; step < 600; step += 1) {
        if (dice.chance(12)) {
          const counter = set([dice.pick(['PMC0', 'PMC1'])]);
          const nmi = { kind: actions.NMI, cpu: 0, target: 0, value: 0, throttle: counter };
          if (actions.refusal(world, state, nmi) === null) run.interrupt(nmi.kind, cpu, 0, counter);
        } else if (cpu.operation === IDLE) {
          run.act(
            dice.pick([
              actions.START_RUN,
              actions.START_RUN,
              actions.START_TICK,
              actions.START_SECTION,
            ]),
            0,
          );
          if (cpu.operation !== IDLE) run.advance(cpu);
        } else if (actions.refusal(world, state, { ...ADVANCE }) === null) {
          run.advance(cpu);
        } else {
          run.interrupt(actions.NMI, cpu, 0, 0);
        }
        look();
      }
      t.strictSame([...run.tally.violations], counts, `seed ${seed}`);
    }
  },
);

const ADVANCE = { kind: actions.ADVANCE, cpu: 0, target: 0, value: 0, throttle: 0 };
