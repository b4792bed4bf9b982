/**
 * One micro-step of a logical CPU: which comes next, and what it does, as one table.
 *
 * Models: the order of semantics.md §3.1 (PMU disable and enable) and §4 (`vmx_vcpu_run`). This is the only place where the
 * order stands; what a step does is in `perf/` and `kvm/`.
 * A table rather than a switch: it reads like the sheet, and a look-up beats a chain of comparisons on the hottest path.
 */
import { GLOBAL_CTRL, PEBS_ENABLE, SWITCHED_MSRS } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import {
  beginList,
  crossMappedCounters,
  deliverPmi,
  finishList,
  fixUpPebsEnable,
  injectPmi,
  restorePmu,
  switchMsr,
  zeroGlobalCtrl,
} from '../kvm/vcpu-run.js';
import {
  loadEntryArea,
  loadExitArea,
  loadGuestState,
  loadHostState,
} from '../kvm/vm-transition.js';
import { hostPebsBits } from '../perf/cpu-hw-events.js';
import { NO_EVENT } from '../perf/perf-event.js';
import { handleNmi } from '../perf/pmi.js';
import {
  disableLogically,
  disablePebs,
  enableLogically,
  mustWriteFixedCtrl,
  noteFixedCtrl,
  readFixedCtrl,
  readGuestMask,
  readPebsEnabled,
  writeFixedCtrl,
  writeGlobalCtrlRead,
  writeGlobalCtrlZero,
  writePebsEnable,
} from '../perf/pmu-section.js';
import {
  hasAddedEvents,
  nextToStart,
  nextToStop,
  startNext,
  stopMoving,
} from '../perf/schedule.js';
import { beginResume, beginRun } from './begin.js';
import * as step from './micro-step.js';
import { closeIdleEvent } from './open-close.js';
import { pendingEvent, scheduleNext } from './sched-in-out.js';
import {
  CLOSE_EVENT,
  EXIT_ENTRY_FAILURE,
  EXIT_EXTERNAL_INTERRUPT,
  EXIT_HLT,
  EXIT_NMI,
  EXIT_REENTER,
  EXIT_VMFAIL,
  IDLE,
  isAboutEvent,
  type LogicalCpu,
  type MachineState,
  NO_EXIT,
  NO_VCPU,
  PAUSE_EVENT,
  RESUME_EVENT,
  RUN_VCPU,
  SCHED_IN,
  SCHED_OUT,
  TICK,
} from './state.js';
import { tickRestartsNext } from './tick-work.js';
import type { World } from './world.js';

type Effect = (world: World, state: MachineState, cpu: LogicalCpu, sink: WriteSink) => void;
type NextRule = (world: World, state: MachineState, cpu: LogicalCpu) => number;

/** What a micro-step does; absent where it is only a place for an NMI to land. */
const effects: (Effect | undefined)[] = new Array(step.STEP_CODES).fill(undefined);
/** What follows a micro-step: a constant here, or BY_RULE. */
const followers = new Int8Array(step.STEP_CODES);
const BY_RULE = -1;
const rules: (NextRule | undefined)[] = new Array(step.STEP_CODES).fill(undefined);

/** Writes one row of the table. A missing `next` is the next code. */
function row(code: number, effect?: Effect, next?: number | NextRule): void {
  effects[code] = effect;
  if (typeof next === 'function') {
    rules[code] = next;
    followers[code] = BY_RULE;
  } else {
    followers[code] = next ?? code + 1;
  }
}

/** The vCPU that the CPU runs. */
function vcpuOf(state: MachineState, cpu: LogicalCpu) {
  return state.vcpus[cpu.target]!;
}

// PMU disable, the operation's work on events, PMU enable.
row(step.REST, undefined, (_w, _s, cpu) =>
  cpu.operation === RUN_VCPU ? step.K0_IRQ_OFF : step.D1_N_ADDED,
);
row(step.D1_N_ADDED, (_w, _s, cpu) => disableLogically(cpu));
row(step.D2_GLOBAL_CTRL, (_w, _s, cpu, sink) => writeGlobalCtrlZero(cpu, sink, 'd2'));
row(
  step.D4_PEBS_ENABLE,
  (world, _s, cpu, sink) => disablePebs(world, cpu, sink),
  eventWorkOrEnable,
);
row(step.BODY_EVENT, scheduleNext, eventWorkOrEnable);
row(step.BODY_OTHER_EVENT, scheduleNext, eventWorkOrEnable);
row(step.BODY_ADJUST_FREQ, scheduleNext, eventWorkOrEnable);
row(
  step.E1_STOP_EVENT,
  (world, state, cpu, sink) => {
    stopMoving(world, state.events, nextToStop(state.events, cpu), cpu, sink);
  },
  placeOrEnable,
);
for (const code of [step.E1_PLACE_EVENT, step.E1_PLACE_OTHER_EVENT]) {
  row(
    code,
    (world, state, cpu, sink) => {
      startNext(world, state.events, cpu, sink);
    },
    placeOrEnable,
  );
}
row(step.E2_ENABLED, (_w, _s, cpu) => enableLogically(cpu));
row(step.E3_READ_PEBS_ENABLED, (_w, _s, cpu) => readPebsEnabled(cpu));
row(
  step.E3_PEBS_ENABLE,
  (world, _s, cpu, sink) => writePebsEnable(world, cpu, sink, 'e3'),
  afterPebsEnable,
);
row(step.E5_READ_FIXED_CTRL, (_w, _s, cpu) => readFixedCtrl(cpu));
row(step.E5_WRMSR_FIXED_CTRL, (_w, _s, cpu, sink) => writeFixedCtrl(cpu, sink));
row(step.E5_FIXED_CTRL, (world, _s, cpu) => noteFixedCtrl(world, cpu), afterFixedCtrl);
row(step.E6_READ_GUEST_MASK, (world, _s, cpu) => readGuestMask(world, cpu));
row(step.E6_GLOBAL_CTRL, (world, state, cpu, sink) => {
  writeGlobalCtrlRead(cpu, sink);
  finishOperation(world, state, cpu);
});

// vmx_vcpu_run up to VMLAUNCH.
row(step.K0_IRQ_OFF, (_w, state, cpu) => {
  cpu.currentVcpu = cpu.target;
  deliverPmi(vcpuOf(state, cpu));
});
row(step.K1_RUN, (_w, _s, cpu) => {
  cpu.exitReason = NO_EXIT;
});
row(step.K2_STATE);
row(
  step.K3_CROSS_MAPPED,
  (world, state, cpu) => {
    const vcpu = vcpuOf(state, cpu);
    vcpu.crossMapped = crossMappedCounters(world, state.events, vcpu, cpu.target, cpu);
  },
  (world) =>
    world.kvmOptions.zeroGlobalCtrl === 'no' ? step.K4_READ_MASKS : step.K3_ZERO_GLOBAL_CTRL,
);
row(
  step.K3_ZERO_GLOBAL_CTRL,
  (world, _s, cpu, sink) => zeroGlobalCtrl(world, cpu, sink),
  (world) =>
    world.kvmOptions.zeroGlobalCtrl === 'drained' ? step.K3_DRAIN_PMI : step.K4_READ_MASKS,
);
row(step.K3_DRAIN_PMI);
row(step.K4_READ_MASKS, (world, _s, cpu) => beginList(world, cpu));
row(
  step.K4_LIST_BUILD,
  (world, state, cpu) => {
    const { guestSwitchMsrs } = cpu.cpuc;
    finishList(world, guestSwitchMsrs, cpu.cpuc, vcpuOf(state, cpu), state.noIsolation !== 0);
  },
  (_w, _s, cpu) => nextListed(cpu, GLOBAL_CTRL),
);
for (let msr = 0; msr < SWITCHED_MSRS; msr += 1) {
  row(
    step.K5_SWITCH + msr,
    (world, state, cpu, sink) => {
      switchMsr(world, cpu, vcpuOf(state, cpu), msr, sink);
      if (msr === PEBS_ENABLE) {
        cpu.wroteAfterQuiesce = 0;
      }
    },
    (_w, _s, cpu) => nextListed(cpu, msr + 1),
  );
}
row(step.K6_TIMER, (_w, state, cpu) => {
  // The list and the cross-mapped mask are not read again: forget them, so that equal futures are equal states.
  cpu.cpuc.guestSwitchMsrs.clear();
  vcpuOf(state, cpu).crossMapped = 0;
});
row(step.K7_LAPIC_WAIT);
row(step.K8_PREPARE);
row(
  step.K9_VMLAUNCH,
  (_w, state, cpu) => {
    // Without isolation a record of an event that PEBS is on for may still be written in the guest (semantics.md §1.5, I3o).
    if (state.noIsolation !== 0 && hostPebsBits(cpu) !== 0) {
      cpu.wroteAfterQuiesce = 1;
    }
  },
  afterVmlaunch,
);

// The hardware's part, and the guest's.
row(step.V1_GUEST_STATE, (_w, state, cpu, sink) => loadGuestState(cpu, vcpuOf(state, cpu), sink));
row(step.V2_ENTRY_LOAD, (_w, state, cpu, sink) => loadEntryArea(cpu, vcpuOf(state, cpu), sink));
row(
  step.V3_INJECT,
  (_w, state, cpu, sink) => injectPmi(vcpuOf(state, cpu), sink),
  (_w, _s, cpu) => (cpu.exitReason === EXIT_NMI ? step.V4_SAVE : step.GUEST),
);
row(step.GUEST);
row(step.V4_SAVE, (_w, _s, cpu) => {
  if (cpu.exitReason === NO_EXIT) {
    cpu.exitReason = EXIT_EXTERNAL_INTERRUPT;
  }
  cpu.wroteAfterQuiesce = 0;
});
row(step.V5_HOST_STATE, (_w, state, cpu, sink) => loadHostState(cpu, vcpuOf(state, cpu), sink));
row(
  step.V6_EXIT_LOAD,
  (world, state, cpu, sink) => {
    if (!loadExitArea(world, cpu, vcpuOf(state, cpu), sink)) {
      cpu.pc = step.VMX_ABORT;
    }
  },
  afterExit,
);
row(step.VMX_ABORT, undefined, step.VMX_ABORT);

// Back in KVM.
row(
  step.K10_NMI_EXIT,
  (world, state, cpu, sink) => {
    const cause = sink.beginNmi();
    handleNmi(world, state, cpu, cpu.nmiThrottle, true, sink);
    sink.cause = cause;
    cpu.nmiThrottle = 0;
  },
  afterExit,
);
row(step.K11_HOST, undefined, afterExit);
row(
  step.K11_RESTORE_PMU,
  (world, _s, cpu, sink) => restorePmu(world, cpu, cpu.exitReason !== EXIT_VMFAIL, sink),
  afterExit,
);
row(step.K11_FIX_UP, (world, state, cpu, sink) => {
  fixUpPebsEnable(world, cpu, vcpuOf(state, cpu), sink);
});
row(
  step.K12_FASTPATH,
  (_w, state, cpu) => {
    // The fast path does not re-enter while a request is pending (`kvm_vcpu_exit_request`).
    if (cpu.exitReason === EXIT_REENTER && vcpuOf(state, cpu).reprogram !== 0) {
      cpu.exitReason = EXIT_HLT;
    }
  },
  (_w, _s, cpu) => (cpu.exitReason === EXIT_REENTER ? step.K1_RUN : step.K13_IRQ_ON),
);
row(step.K13_IRQ_ON, (_w, _s, cpu) => {
  cpu.exitReason = NO_EXIT;
  cpu.wroteAfterQuiesce = 0;
  rest(cpu);
});

/**
 * Executes the next micro-step of the CPU's operation and returns its code. When the operation is over the CPU is idle
 * and its `pc` is REST again.
 */
export function advance(
  world: World,
  state: MachineState,
  cpu: LogicalCpu,
  sink: WriteSink,
): number {
  const next = nextStep(world, state, cpu);
  cpu.pc = next;
  effects[next]?.(world, state, cpu, sink);
  return next;
}

/** The micro-step that `advance` would execute. */
export function nextStep(world: World, state: MachineState, cpu: LogicalCpu): number {
  const next = followers[cpu.pc]!;
  return next === BY_RULE ? rules[cpu.pc]!(world, state, cpu) : next;
}

/** Whether the CPU's operation waits for something else to happen first (proposal e3 drains pending PMIs). */
export function isBlocked(world: World, state: MachineState, cpu: LogicalCpu): boolean {
  return (
    cpu.pc === step.K3_ZERO_GLOBAL_CTRL &&
    (cpu.hardware.status | cpu.hardware.dsRecords) !== 0 &&
    nextStep(world, state, cpu) === step.K3_DRAIN_PMI
  );
}

function eventWorkOrEnable(world: World, state: MachineState, cpu: LogicalCpu): number {
  const event = pendingEvent(world, state, cpu);
  if (event === NO_EVENT) {
    return placeOrEnable(world, state, cpu);
  }
  if (cpu.operation === TICK) {
    return tickRestartsNext(world, state, cpu) ? step.BODY_EVENT : step.BODY_ADJUST_FREQ;
  }
  const isOther = isAboutEvent(cpu.operation) && event !== cpu.target;
  return isOther ? step.BODY_OTHER_EVENT : step.BODY_EVENT;
}

function placeOrEnable(_world: World, state: MachineState, cpu: LogicalCpu): number {
  const { events } = state;
  if (!hasAddedEvents(events, cpu)) {
    return step.E2_ENABLED;
  }
  if (nextToStop(events, cpu) !== NO_EVENT) {
    return step.E1_STOP_EVENT;
  }
  const isOther = isAboutEvent(cpu.operation) && nextToStart(events, cpu) !== cpu.target;
  return isOther ? step.E1_PLACE_OTHER_EVENT : step.E1_PLACE_EVENT;
}

/** IA32_FIXED_CTR_CTRL comes next; a candidate fix first looks whether `pebs_enabled` has changed since it was read. */
function afterPebsEnable(world: World, _state: MachineState, cpu: LogicalCpu): number {
  const { cpuc, hardware } = cpu;
  const changed = world.caps.pebsEnableMsr && hardware.pebsEnable !== cpuc.pebsEnabled;
  if (world.perfOptions.enableAllRechecksPebs && changed) {
    return step.E3_READ_PEBS_ENABLED;
  }
  return mustWriteFixedCtrl(world, cpu) ? step.E5_READ_FIXED_CTRL : step.E5_FIXED_CTRL;
}

/** The candidate fix `written` compares once more, and writes again what changed meanwhile. */
function afterFixedCtrl(world: World, _state: MachineState, cpu: LogicalCpu): number {
  const again = world.perfOptions.fixedCtrl === 'written' && mustWriteFixedCtrl(world, cpu);
  return again ? step.E5_READ_FIXED_CTRL : step.E6_READ_GUEST_MASK;
}

/** k5 goes through the list in the order perf returned it. */
function nextListed(cpu: LogicalCpu, from: number): number {
  const { present } = cpu.cpuc.guestSwitchMsrs;
  for (let msr = from; msr < SWITCHED_MSRS; msr += 1) {
    if (present & (1 << msr)) {
      return step.K5_SWITCH + msr;
    }
  }
  return step.K6_TIMER;
}

/** A VMLAUNCH that fails outright loads nothing; one that fails its guest checks loads host state. */
function afterVmlaunch(world: World, _state: MachineState, cpu: LogicalCpu): number {
  if (cpu.exitReason === EXIT_VMFAIL) {
    return world.kvmOptions.zeroGlobalCtrl === 'no' ? step.K12_FASTPATH : step.K11_RESTORE_PMU;
  }
  return cpu.exitReason === EXIT_ENTRY_FAILURE ? step.V5_HOST_STATE : step.V1_GUEST_STATE;
}

/**
 * After V6 KVM hands an NMI to perf itself (k10), and may switch the PMU on before that; any other NMI may land as soon as
 * the first host instruction runs (k11), before KVM can repair anything.
 */
function afterExit(world: World, _state: MachineState, cpu: LogicalCpu): number {
  const { zeroGlobalCtrl: zero, postExitFixup } = world.kvmOptions;
  const restores = zero === 'pmu_off' || zero === 'drained';
  const afterHandling = postExitFixup ? step.K11_FIX_UP : step.K12_FASTPATH;
  if (cpu.exitReason === EXIT_NMI) {
    if (cpu.pc === step.V6_EXIT_LOAD) {
      return restores ? step.K11_RESTORE_PMU : step.K10_NMI_EXIT;
    }
    return cpu.pc === step.K11_RESTORE_PMU ? step.K10_NMI_EXIT : afterHandling;
  }
  if (cpu.pc === step.V6_EXIT_LOAD) {
    return step.K11_HOST;
  }
  return cpu.pc === step.K11_HOST && restores ? step.K11_RESTORE_PMU : afterHandling;
}

function finishOperation(world: World, state: MachineState, cpu: LogicalCpu): void {
  if (cpu.operation === TICK) {
    const left = cpu.target & (cpu.target - 1);
    if (left !== 0) {
      // The thread's context has a section of its own.
      cpu.target = left;
      cpu.cursor = 0;
      cpu.pc = step.REST;
      return;
    }
  }
  if (cpu.operation === CLOSE_EVENT) {
    closeIdleEvent(world, state, cpu.target);
  } else if (cpu.operation === SCHED_OUT) {
    cpu.currentVcpu = NO_VCPU;
  } else if (cpu.operation === SCHED_IN) {
    cpu.currentVcpu = cpu.target;
  }
  const { operation, target } = cpu;
  rest(cpu);
  if (operation === PAUSE_EVENT) {
    beginResume(world, state, cpu, target);
  } else if (operation === RESUME_EVENT) {
    beginRun(world, state, cpu, world.eventConfigs[target]!.owner);
  }
}

function rest(cpu: LogicalCpu): void {
  cpu.operation = IDLE;
  cpu.target = 0;
  cpu.cursor = 0;
  cpu.pc = step.REST;
}
