/** Random runs of machines, as recordings of theirs. */
import { expandInto, successorsFor } from '../../../src/explorer/model.js';
import { initialState, type Path } from '../../../src/explorer/path.js';
import type { Random } from '../../../src/explorer/prng.js';
import { exploredWorld } from '../../../src/model/explored-world.js';
import { MachineModel } from '../../../src/model/machine-model.js';
import type { ActorKind } from '../../../src/model/vocabulary.js';
import type { EventSpec, VcpuSpec, WorldSpec } from '../../../src/model/world-spec.js';
import { traceFile } from '../../../src/service/hosts/trace-file.js';
import { framed } from '../../../src/service/hosts/trace-views.js';
import { liveSession } from '../../model/live-host.js';

const PERIOD = 100003;
const PEBS: EventSpec = {
  counter: 'PMC0',
  precise_ip: 2,
  sample_period: PERIOD,
  exclude_guest: true,
};
const PLAIN: EventSpec = { counter: 'PMC1', sample_period: PERIOD, exclude_guest: true };
const FIXED: EventSpec = { counter: 'FIXED0', sample_period: PERIOD, exclude_guest: true };
const COUNTING: VcpuSpec = {
  wrmsr: [
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x4' },
    { msr: 'IA32_PERFEVTSEL2', value: '0x43003c' },
  ],
};

const EVENTS: readonly EventSpec[][] = [
  [PEBS],
  [PEBS, PLAIN],
  [PEBS, { ...PEBS, counter: 'PMC1' }],
  [FIXED, PEBS],
  [PLAIN, FIXED],
  [
    { ...PLAIN, name: 'e0' },
    { ...PEBS, group_leader: 'e0' },
  ],
  [{ counter: 'PMC0', precise_ip: 2, sample_freq: 4000, exclude_guest: true }],
];
const VCPUS: readonly VcpuSpec[][] = [[], [{}], [{}], [{}, {}], [COUNTING]];
const ACTORS: readonly ActorKind[] = [
  'nmi_throttle',
  'foreign_nmi',
  'tick',
  'event_add',
  'event_del',
  'event_enable',
  'event_disable',
  'pmu_section',
  'fastpath_reenter',
];

export function randomWorld(dice: Random, cpu_model: string, kernel: string): WorldSpec {
  return {
    cpu_model,
    kernel,
    events: pick(dice, EVENTS),
    vcpus: pick(dice, VCPUS),
    actors: ACTORS.map((kind) => ({ kind })),
    nmi_timing: 'late',
  };
}

/** A guest that counts on some counters, on all of them with PEBS. */
export function pebsGuest(...counters: number[]): VcpuSpec {
  const set = counters.reduce((all, counter) => all | (1 << counter), 0);
  return {
    wrmsr: [
      { msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
      { msr: 'IA32_PEBS_ENABLE', value: set },
      ...counters.map((counter) => ({ msr: `IA32_PERFEVTSEL${counter}`, value: '0x43003c' })),
      { msr: 'IA32_PERF_GLOBAL_CTRL', value: set },
    ],
  };
}

export function pick<T>(dice: Random, list: readonly T[]): T {
  return list[dice.below(list.length)]!;
}

/** Half of the steps go on with what is under way, so that runs come to an end between other things. */
export function randomPath(model: MachineModel, dice: Random, steps: number): Path {
  const out = successorsFor(model, 1);
  const path: number[] = [];
  let state = initialState(model);
  while (path.length < steps) {
    out.count = 0;
    expandInto(model, state, 0, out);
    if (out.count === 0) break;
    const index = dice.below(2) === 0 ? 0 : dice.below(out.count);
    path.push(index);
    state = out.words.slice(index * model.words, (index + 1) * model.words);
  }
  return path;
}

export function modelOf(spec: WorldSpec): MachineModel {
  return new MachineModel(exploredWorld(spec), []);
}

/** What a live host's trace prints of a path, what set it up left out: WRMSRs, entries and exits only. */
export async function tracedText(model: MachineModel, path: Path): Promise<string> {
  const setUp = (await liveSession(model, [])).entries.length;
  const { host, entries } = await liveSession(model, path);
  const { text } = await traceFile(host, framed(host, entries).slice(setUp), 'ftrace', false);
  return text
    .split('\n')
    .filter((line) => /: (write_msr|kvm_entry|kvm_exit): /.test(line))
    .join('\n');
}
