/** The steps of a search and their labels: small integers that say which step, on which CPU, about what. */
import { ACTOR_KINDS, type ActorKind } from '../../../schemas/exploration-model.js';

/** The next micro-step of what a CPU is doing. */
export const ADVANCE = 0;
export const EXIT_AND_REENTER = 1;
export const FAIL_VMLAUNCH = 2;
export const RUN = 3;
export const SWITCH_OUT = 4;
export const SWITCH_IN = 5;
/** KVM brings an event in line with its guest's registers. */
export const REPROGRAM = 6;
export const TICK = 7;
export const ENABLE = 8;
export const DISABLE = 9;
export const CLOSE = 10;
export const ADD = 11;
export const SECTION = 12;
export const MIGRATE = 13;
/** A guest flips its IA32_PEBS_ENABLE, or its IA32_PERF_GLOBAL_CTRL, for the counter of an event. */
export const FLIP_PEBS_ENABLE = 14;
export const FLIP_GLOBAL_CTRL = 15;
/** Prompt: an event overflows and the NMI throttles it. */
export const OVERFLOW_AND_THROTTLE = 16;
export const FOREIGN_NMI = 17;
/** Late: the overflow; its NMI without and with throttling. */
export const OVERFLOW = 18;
export const LATE_NMI = 19;
export const LATE_NMI_THROTTLE = 20;
export const SNAPSHOT = 21;
export const LOAD_MICROCODE = 22;
/** A foreign NMI whose status never clears. */
export const RESET_NMI = 23;

/** By step: the actor whose budget it spends, or undefined for what simply goes on. */
const ACTORS: readonly (ActorKind | undefined)[] = [
  undefined,
  'fastpath_reenter',
  'vmfail',
  undefined,
  undefined,
  undefined,
  undefined,
  'tick',
  'event_enable',
  'event_disable',
  'event_del',
  'event_add',
  'pmu_section',
  'migrate',
  'guest_wrmsr',
  'guest_wrmsr',
  'nmi_throttle',
  'foreign_nmi',
  undefined,
  undefined,
  'nmi_throttle',
  'bpf_snapshot',
  'microcode_load',
  'nmi_reset',
];
/** By step: the index of its actor in `ACTOR_KINDS`, or -1. */
export const ACTOR_OF_STEP = ACTORS.map((kind) =>
  kind === undefined ? -1 : ACTOR_KINDS.indexOf(kind),
);

/** A label: step in bits 0–4, CPU in bits 5–7, target in bits 8–15. */
export function labelOf(step: number, cpu: number, target: number): number {
  return step | (cpu << 5) | (target << 8);
}

export function stepOf(label: number): number {
  return label & 31;
}

export function cpuOf(label: number): number {
  return (label >> 5) & 7;
}

/** An event, a vCPU or a counter, depending on the step. */
export function targetOf(label: number): number {
  return label >> 8;
}

/** Who acts, as a number: an actor of the world, or a vCPU that runs or whose thread is switched; -1 for what goes on. */
export function actorOfLabel(label: number): number {
  const step = stepOf(label);
  switch (step) {
    case RUN:
    case SWITCH_OUT:
    case SWITCH_IN:
      return ACTOR_KINDS.length + targetOf(label);
    case OVERFLOW:
    case LATE_NMI:
      return ACTOR_OF_STEP[LATE_NMI_THROTTLE]!;
    default:
      return ACTOR_OF_STEP[step]!;
  }
}
