/**
 * Where a step decides not to act: Linux and the hardware look at a value and leave a register as it is. A story says so,
 * since what was not written is often the point of it.
 *
 * Each decision is read off the states before and after the step and its writes; nothing is decided here.
 */
import {
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  msrName,
  PEBS_ENABLE,
  switchedIn,
} from '../../pmu/arch/msr.js';
import type { VcpuPmu } from '../../pmu/kvm/vcpu-pmu.js';
import * as code from '../../pmu/machine/micro-step.js';
import { EXIT_VMFAIL, type LogicalCpu } from '../../pmu/machine/state.js';
import type { World } from '../../pmu/machine/world.js';
import { cpuOf } from '../steps/index.js';
import type { PathStep } from './path-steps.js';

export interface Decision {
  readonly reason: string;
  /** What does not happen. */
  readonly outcome: string;
  /** The registers, or the entries of load areas, that could have been written; none where nothing depends on it. */
  readonly msrs: readonly number[];
  readonly of: 'register' | 'entry';
}

/** A CPU before a step and after it. */
interface Scene {
  readonly world: World;
  readonly step: PathStep;
  readonly before: LogicalCpu;
  readonly after: LogicalCpu;
}

type Rule = (scene: Scene) => readonly Decision[];

export function decisionsOf(world: World, step: PathStep): Decision[] {
  const before = step.before.cpus[cpuOf(step.label)]!;
  const scene = { world, step, before, after: step.after.cpus[before.index]! };
  const ofStep = step.executes === undefined ? undefined : BY_STEP[step.executes];
  return [...(ofStep?.(scene) ?? []), ...leavesGlobalCtrl(scene), ...changesPebsAlone(scene)];
}

export function decisionLine({ reason, outcome }: Decision): string {
  return `${reason}: ${outcome}`;
}

const EVERY_SWITCHED = switchedIn();

function of(
  is: boolean,
  reason: string,
  outcome: string,
  msrs: readonly number[] = [],
  kind: Decision['of'] = 'register',
): Decision[] {
  return is ? [{ reason, outcome, msrs, of: kind }] : [];
}

function writes({ step }: Scene, msr: number): boolean {
  return step.writes.some((write) => write.msr === msr);
}

/** Leaves IA32_PEBS_ENABLE as it is. */
function noPebsWrite(scene: Scene, is: boolean, reason: string): Decision[] {
  if (writes(scene, PEBS_ENABLE)) {
    return [];
  }
  return scene.world.caps.pebsEnableMsr
    ? of(is, reason, 'no write of IA32_PEBS_ENABLE', [PEBS_ENABLE])
    : of(true, 'the CPU has no IA32_PEBS_ENABLE', 'no write');
}

/** The vCPU that the CPU runs. */
function vcpuOf({ step, before }: Scene): VcpuPmu {
  return step.before.vcpus[before.target]!;
}

const byField: Rule = (scene) =>
  of(!vcpuOf(scene).loadGlobalCtrl, 'the control is off', 'IA32_PERF_GLOBAL_CTRL is not loaded');

const byArea: Rule = (scene) =>
  of(vcpuOf(scene).autoload.count === 0, 'the load area is empty', 'no MSR is loaded');

function listEntry(msr: number): Rule {
  return ({ before }) => {
    const { host, guest } = before.cpuc.guestSwitchMsrs;
    return of(host[msr] === guest[msr], 'host and guest agree', `no entry of ${msrName(msr)}`);
  };
}

/** By the micro-step that is executed. */
const BY_STEP: Readonly<Record<number, Rule>> = {
  [code.D4_PEBS_ENABLE]: (scene) =>
    noPebsWrite(scene, scene.before.cpuc.pebsEnabled === 0, 'pebs_enabled is 0'),
  [code.E3_READ_PEBS_ENABLED]: ({ before }) =>
    of(before.cpuc.pebsEnabled === 0, 'pebs_enabled is 0', 'nothing to write'),
  [code.E3_PEBS_ENABLE]: (scene) => {
    const isRead = scene.before.cpuc.pebsEnableRead === 0;
    return noPebsWrite(
      scene,
      true,
      isRead ? 'pebs_enabled was read as 0' : 'the CPU has no such bit, and the WRMSR faults',
    );
  },
  [code.E5_FIXED_CTRL]: ({ before }) =>
    of(
      before.cpuc.fixedCtrlRead === 0,
      'fixed_ctrl_val equals active_fixed_ctrl_val',
      'no write of IA32_FIXED_CTR_CTRL',
      [FIXED_CTR_CTRL],
    ),
  [code.K4_LIST_BUILD]: (scene) => {
    const { present } = scene.after.cpuc.guestSwitchMsrs;
    return vcpuOf(scene)
      .autoload.listed()
      .filter((msr) => (present & (1 << msr)) === 0)
      .flatMap((msr) => {
        const reason = `${msrName(msr)} is not in the list`;
        return of(true, reason, 'its entry in the load areas stays', [msr], 'entry');
      });
  },
  [code.K9_VMLAUNCH]: ({ after }) =>
    of(after.exitReason === EXIT_VMFAIL, 'VMLAUNCH fails', 'nothing is loaded', EVERY_SWITCHED),
  [code.V1_GUEST_STATE]: byField,
  [code.V2_ENTRY_LOAD]: byArea,
  [code.V5_HOST_STATE]: byField,
  [code.V6_EXIT_LOAD]: (scene) =>
    scene.after.pc === code.VMX_ABORT
      ? of(true, 'a register refuses its value', 'VMX abort, the CPU shuts down')
      : byArea(scene),
  [code.K11_FIX_UP]: (scene) =>
    noPebsWrite(scene, true, 'VM-exit loaded nothing else than perf wants'),
  ...Object.fromEntries(EVERY_SWITCHED.map((msr) => [code.K5_SWITCH + msr, listEntry(msr)])),
};

/** The NMI handler leaves the PMU off where it found it off. */
function leavesGlobalCtrl({ step, before }: Scene): Decision[] {
  const rows = step.writes.filter(({ msr }) => msr === GLOBAL_CTRL).map(({ row }) => row);
  const isOff = rows.includes('n1') && before.cpuc.enabled === 0;
  return of(isOff, 'the PMU is off', 'IA32_PERF_GLOBAL_CTRL stays 0', [GLOBAL_CTRL]);
}

/** `pebs_enabled` changes, and the register does not. */
function changesPebsAlone(scene: Scene): Decision[] {
  const { world, before, after } = scene;
  if (before.cpuc.pebsEnabled === after.cpuc.pebsEnabled || !world.caps.pebsEnableMsr) {
    return [];
  }
  const reason =
    before.cpuc.enabled === 0 ? 'the PMU is off' : 'pebs_enabled is not looked at again';
  return noPebsWrite(scene, true, reason);
}
