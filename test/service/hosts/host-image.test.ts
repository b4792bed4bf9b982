/** What is stored of a host is all of it: one that is written and read again after every action is like one that never was. */
import t, { type Test } from 'tap';
import type { ScriptAction } from '../../../schemas/script.js';
import { CPU_MODELS } from '../../../src/pmu/arch/cpu-models.js';
import { KERNELS } from '../../../src/pmu/kernels/index.js';
import { STEP_NAMES } from '../../../src/pmu/machine/micro-step.js';
import { TRACE_MAX, type TraceEntry } from '../../../src/pmu/stepping/run.js';
import { OPERATION_NAMES } from '../../../src/pmu/vocabulary.js';
import { createHost, type Host } from '../../../src/service/hosts/host.js';
import { hostConfig, hostImage, readHost } from '../../../src/service/hosts/host-image.js';
import { HostSession } from '../../../src/service/hosts/host-session.js';
import { hostItem } from '../../../src/service/hosts/host-summary.js';
import { eventItem, metricsItem, vcpuItem } from '../../../src/service/hosts/host-views.js';
import { msrsItem } from '../../../src/service/hosts/msr-views.js';
import { runScript } from '../../../src/service/hosts/scripts.js';
import { STORED_STEPS, stepOfStored, storedStep } from '../../../src/service/hosts/stored-steps.js';
import { chunkOf, NO_TAIL, readTrace, withEntries } from '../../../src/service/hosts/trace-text.js';
import { framed, traceItems } from '../../../src/service/hosts/trace-views.js';
import { ProblemError } from '../../../src/service/problem-error.js';
import { Dice } from '../../pmu/random-walk.js';
import { randomAction } from './random-actions.js';

function newHost(model: number, kernel: number, cpus: number): Host {
  const cpuModel = CPU_MODELS[model % CPU_MODELS.length]!;
  return createHost({
    id: 'host_1',
    name: 'box',
    createdAt: '2026-11-23T12:00:00.000Z',
    model: cpuModel,
    kernel: KERNELS[kernel % KERNELS.length]!,
    stepping: cpuModel.defaultStepping,
    microcode: { hi: 0, lo: 0 },
    cpus,
    options: kernel % 2 === 0 ? {} : { autoload_slots_taken: 6, group_throttle: false },
  });
}

/** Written and read again, as between two requests. */
function storedAndRead(host: Host): Host {
  return readHost({
    id: host.id,
    version: host.version,
    config: JSON.parse(JSON.stringify(hostConfig(host))),
    image: hostImage(host),
    tail: host.tail.text,
    createdAt: new Date(host.createdAt),
  });
}

interface Outcome {
  readonly host: Host;
  readonly trace: readonly TraceEntry[];
  /** What a client would see of the action itself. */
  readonly told: unknown;
}

async function act(host: Host, action: ScriptAction): Promise<Outcome> {
  const session = new HostSession(host);
  try {
    const told = await runScript(session, { actions: [action] });
    return { host: session.finish(), trace: session.run.trace, told };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { host, trace: [], told: { code: error.code, message: error.message } };
  }
}

function views(host: Host): unknown {
  return {
    host: hostItem(host),
    metrics: metricsItem(host),
    msrs: host.state.cpus.map((_, cpu) => msrsItem(host, cpu)),
    events: [...host.events.keys()]
      .filter((at) => host.events[at] !== undefined)
      .map((at) => eventItem(host, at)),
    vcpus: host.vcpus.map((_, at) => vcpuItem(host, at)),
    rest: [host.version, host.nextId, host.addresses.added()],
  };
}

/** So that there is something to act on. */
const PRELUDE: readonly ScriptAction[] = [
  { action: 'open_event', cpu: 0, counter: 'PMC0', precise_ip: 2, exclude_guest: true },
  { action: 'open_event', cpu: 0, counter: 'PMC1', precise_ip: 1, exclude_guest: true },
  { action: 'add_vcpu', cpu: 0 },
];

/** Does the same to a host that stays in memory and to one that is stored after every action. */
async function compare(t: Test, seed: number): Promise<{ done: number; violated: boolean }> {
  const dice = new Dice(seed);
  let kept = newHost(seed, seed * 7, 1 + (seed % 3));
  let stored = storedAndRead(kept);
  let done = 0;
  for (let step = 0; step < 60; step += 1) {
    const action = PRELUDE[step] ?? randomAction(kept, dice);
    const ofKept = await act(kept, action);
    const ofStored = await act(stored, action);
    const same =
      JSON.stringify(ofKept.told) === JSON.stringify(ofStored.told) &&
      JSON.stringify(ofKept.trace) === JSON.stringify(ofStored.trace);
    if (!same) {
      t.strictSame(ofStored, ofKept, `seed ${seed}, step ${step}: ${JSON.stringify(action)}`);
      break;
    }
    if (ofKept.host !== kept) done += 1;
    kept = ofKept.host;
    stored = storedAndRead(ofStored.host);
    if (hostImage(stored) !== hostImage(kept)) {
      t.strictSame(stored, kept, `seed ${seed}, step ${step}: ${JSON.stringify(action)}`);
      break;
    }
  }
  t.strictSame(views(stored), views(kept), `seed ${seed}`);
  t.strictSame(stored.state, kept.state);
  return { done, violated: metricsItem(kept).violations.length > 0 };
}

t.test('a host that is stored after every action is like one that stays in memory', async (t) => {
  let done = 0;
  let violated = 0;
  for (let seed = 0; seed < 100; seed += 1) {
    const walk = await compare(t, seed);
    done += walk.done;
    if (walk.violated) violated += 1;
  }
  t.comment(`${done} actions were not refused, ${violated} hosts have violations`);
  t.ok(done > 2000 && violated > 10, 'enough happened');
});

t.test(
  'a host stored before vCPUs could lack PEBS or count PMIs reads as one that lacks nothing',
  async (t) => {
    const emr = CPU_MODELS.findIndex(({ id }) => id === 'emerald-rapids');
    const { host } = await act(newHost(emr, 0, 1), { action: 'add_vcpu', name: 'guest' });
    const image = JSON.parse(hostImage(host)) as {
      guests?: unknown;
      vcpus: { pmis?: number }[];
    };
    delete image.guests;
    delete image.vcpus[0]!.pmis;
    const read = readHost({
      id: host.id,
      version: host.version,
      config: hostConfig(host),
      image: JSON.stringify(image),
      tail: host.tail.text,
      createdAt: new Date(host.createdAt),
    });
    t.strictSame(views(read), views(host));
    t.strictSame(read.world.guests, [{ vpmu: true, pebs: true, rtm: false }]);
  },
);

t.test('a trace is read as it was written, entry by entry', async (t) => {
  const dice = new Dice(5);
  let host = newHost(8, 0, 2);
  const all: TraceEntry[] = [];
  const chunks: string[] = [];
  for (let step = 0; step < 200; step += 1) {
    const { host: next, trace } = await act(host, randomAction(host, dice));
    // An action of more entries than a trace keeps would be another test.
    if (trace.length >= TRACE_MAX) continue;
    host = next;
    all.push(...trace);
    const last = host.tally.happened;
    const chunk = chunkOf(host.tail, last);
    if (chunk === null) continue;
    t.match(chunk, { lastIndex: last, forgetTo: last - TRACE_MAX });
    chunks.push(chunk.entries);
    host.tail = { ...NO_TAIL, after: last };
  }
  t.ok(chunks.length > 0, `the tail has grown into ${chunks.length} chunks`);
  t.ok(all.some(({ writes }) => writes.length > 1) && all.some(({ vcpu }) => vcpu === undefined));
  t.ok(all.some(({ guestWrite }) => guestWrite !== undefined));
  const read = readTrace([...chunks, host.tail.text]);
  t.strictSame(read, all);
  t.strictSame(traceItems(host, framed(host, read)), traceItems(host, framed(host, all)));
  const longest = withEntries(
    host.tail,
    Array.from({ length: 2500 }, (_, at) => ({ ...all[0]!, index: at + 1 })),
  );
  t.equal(readTrace([longest.text]).length, TRACE_MAX);
});

t.test('the largest host has a small image, and reads back', async (t) => {
  let host = newHost(
    CPU_MODELS.findIndex(({ id }) => id === 'emerald-rapids'),
    0,
    8,
  );
  const must = async (action: ScriptAction) => {
    const { host: next, told } = await act(host, action);
    t.not(next, host, JSON.stringify(told));
    host = next;
  };
  for (let at = 0; at < 64; at += 1) {
    const counter = `PMC${at >> 3}`;
    await must({
      action: 'open_event',
      cpu: at & 7,
      counter,
      precise_ip: 2,
      exclude_guest: true,
      name: `event ${at}`,
    });
  }
  for (let at = 0; at < 16; at += 1) {
    const vcpu = `guest ${at}`;
    await must({ action: 'add_vcpu', cpu: at & 7, name: vcpu });
    await must({ action: 'wrmsr', vcpu, msr: 'IA32_DS_AREA', value: `0xffff8880000${10 + at}000` });
    await must({
      action: 'transition',
      vcpu,
      kind: 'round_trip',
      count: 3,
      exit_reason: 'hlt',
      trace: false,
    });
  }
  const size = hostImage(host).length;
  t.comment(`the image of 8 CPUs, 64 events and 16 vCPUs has ${size} bytes`);
  t.ok(size < 64 * 1024);
  t.strictSame(views(storedAndRead(host)), views(host));
});

t.test('an image does not grow with what is over', async (t) => {
  let host = newHost(0, 0, 1);
  const sizes: number[] = [];
  for (let round = 0; round < 300; round += 1) {
    for (const action of [
      { action: 'open_event', name: 'e', cpu: 0, precise_ip: 0 },
      { action: 'tick', cpu: 0 },
      { action: 'close_event', event: 'e' },
    ] as const) {
      host = (await act(host, action)).host;
    }
    sizes.push(hostImage(host).length);
  }
  t.ok(sizes.at(-1)! < sizes[0]! + 100, `${sizes[0]} bytes, then ${sizes.at(-1)}`);
});

t.test('an image of a later format is not read', async (t) => {
  const host = newHost(0, 0, 1);
  const image = hostImage(host).replace('"format":2', '"format":3');
  const row = { id: 'host_1', version: 0, image, tail: '', createdAt: new Date() };
  t.throws(() => readHost({ ...row, config: hostConfig(host) }), /another version of the service/);
});

t.test('a host at a micro-step of a later version is not read', async (t) => {
  const { host } = await act(newHost(0, 0, 1), { action: 'pmu_disable', cpu: 0 });
  const image = hostImage(host);
  t.match(image, /"pc":3\b/, 'd4_pebs_enable');
  const later = image.replace('"pc":3', `"pc":${STORED_STEPS.length}`);
  const row = { id: 'host_1', version: 0, image: later, tail: '', createdAt: new Date() };
  t.throws(() => readHost({ ...row, config: hostConfig(host) }), /another version of the service/);
});

t.test('stored hosts hold numbers, which stay', async (t) => {
  const names = STORED_STEPS.join(' ').replaceAll('k5_switch:', '');
  const first =
    'rest d1_n_added d2_global_ctrl d4_pebs_enable body_event body_other_event body_adjust_freq e1_stop_event ' +
    'e1_place_event e1_place_other_event e2_enabled e3_read_pebs_enabled e3_pebs_enable e5_read_fixed_ctrl ' +
    'e5_wrmsr_fixed_ctrl e5_fixed_ctrl e6_read_guest_mask e6_global_ctrl k0_irq_off k1_run k2_state ' +
    'k3_cross_mapped k3_zero_global_ctrl k3_drain_pmi k4_read_masks k4_list_build IA32_PERF_GLOBAL_CTRL ' +
    'IA32_DS_AREA MSR_PEBS_DATA_CFG IA32_PEBS_ENABLE k6_timer k7_lapic_wait k8_prepare k9_vmlaunch ' +
    'v1_guest_state v2_entry_load v3_inject guest v4_save v5_host_state v6_exit_load k10_nmi_exit k11_host ' +
    'k11_restore_pmu k11_fix_up k12_fastpath k13_irq_on v6_vmx_abort';
  t.ok(`${names} `.startsWith(`${first} `), 'new steps are appended to STORED_STEPS');
  for (const [code, name] of STEP_NAMES.entries()) {
    const back = stepOfStored(storedStep(code));
    t.equal(back, code, `src/service/hosts/stored-steps.ts has the micro-step ${name}`);
  }
  t.equal(
    OPERATION_NAMES.join(' '),
    'idle run_vcpu pmu_section enable_event disable_event close_event tick sched_out sched_in pause_event resume_event',
  );
  t.equal(JSON.parse(hostImage(newHost(0, 0, 1))).format, 2, 'the codes of format 2');
});
