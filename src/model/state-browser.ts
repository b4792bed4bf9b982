/** A state on a walk through a world: what it is, where one can go from it, and why not elsewhere. */
import { formatPath, type Path, walkTo } from '../explorer/path.js';
import { counterNames } from '../pmu/arch/counter-set.js';
import { STEP_NAMES } from '../pmu/machine/micro-step.js';
import { type LogicalCpu, OPERATION_NAMES } from '../pmu/machine/state.js';
import type { MachineModel } from './machine-model.js';
import { cpuOf } from './steps/index.js';
import { actionOf, reasonsOf } from './steps/told.js';

export interface WalkState {
  path: string;
  /** Invariants that fail here, and marks that are reached. */
  violated: string[];
  witnessed: string[];
  /** By CPU: its fields in words. */
  cpus: string[][];
  enabled: { path: string; action: string }[];
  refused: { action: string; guards: string[] }[];
}

/** Throws a PathError where the path leaves the model. */
export function walkState(model: MachineModel, path: Path): WalkState {
  const place = walkTo(model, path);
  const { explored } = model;
  const { state, spent } = model.unpacked(place.state);
  const found = (kind: 'always' | 'sometimes'): string[] =>
    model.properties
      .filter((property, at) => property.kind === kind && (place.found & (1 << at)) !== 0)
      .map(({ id }) => id);
  return {
    path: formatPath(path),
    violated: found('always'),
    witnessed: found('sometimes'),
    cpus: state.cpus.map(cpuLines),
    enabled: place.successors.map(({ index, label }) => ({
      path: formatPath([...path, index]),
      action: actionOf(explored, state, label),
    })),
    refused: model.steps.refused(state, spent).map((step) => ({
      action: `cpu${cpuOf(step.label)}: ${actionOf(explored, state, step.label)}`,
      guards: reasonsOf(explored, state, step),
    })),
  };
}

function cpuLines({ pc, operation, hardware, cpuc }: LogicalCpu): string[] {
  const set = (value: number): string => counterNames(value).join('+') || '0';
  return [
    `micro-step ${STEP_NAMES[pc]}`,
    `operation ${OPERATION_NAMES[operation]}`,
    `enabled ${cpuc.enabled}`,
    `pebs_enabled ${set(cpuc.pebsEnabled)}`,
    `IA32_PEBS_ENABLE ${set(hardware.pebsEnable)}`,
    `IA32_PERF_GLOBAL_CTRL ${set(hardware.globalCtrl)}`,
    `overflows latched ${set(hardware.status | hardware.dsRecords)}`,
  ];
}
