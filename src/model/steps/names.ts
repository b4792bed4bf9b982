/** What the parts of a world are called. */
import {
  isAboutEvent,
  type LogicalCpu,
  OPERATION_NAMES,
  RUN_VCPU,
} from '../../pmu/machine/state.js';
import type { ExploredWorld } from '../explored-world.js';

export function eventName({ host }: ExploredWorld, at: number): string {
  return host.eventNames[at] ?? `event ${at}`;
}

export function vcpuName({ host }: ExploredWorld, at: number): string {
  return host.vcpuNames[at] ?? `vCPU ${at}`;
}

export function operationName(explored: ExploredWorld, { operation, target }: LogicalCpu): string {
  if (operation === RUN_VCPU) {
    return vcpuName(explored, target);
  }
  const name = OPERATION_NAMES[operation]!.replaceAll('_', ' ');
  return isAboutEvent(operation) ? `${name} ${eventName(explored, target)}` : name;
}
