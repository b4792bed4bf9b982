/** Who wrote what on a path: from a field back to the step that wrote it, and from there to where the value came from. */
import {
  DS_AREA,
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  PEBS_DATA_CFG,
  PEBS_ENABLE,
  SWITCHED_MSRS,
  VM_ENTRY_LOAD,
  VM_EXIT_LOAD,
  VMCS_FIELD,
} from '../../pmu/arch/msr.js';
import type { Place } from '../../pmu/invariants/fault.js';
import * as code from '../../pmu/machine/micro-step.js';
import type { MachineState } from '../../pmu/machine/state.js';
import { cpuOf } from '../steps/index.js';
import { type FieldWords, type Item, isThere, type Part } from './field-words.js';
import type { PathStep } from './path-steps.js';

/** The registers of a CPU that an MSR write reaches. */
const REGISTERS: Readonly<Record<string, number>> = {
  'hardware.globalCtrl': GLOBAL_CTRL,
  'hardware.dsArea': DS_AREA,
  'hardware.pebsDataCfg': PEBS_DATA_CFG,
  'hardware.pebsEnable': PEBS_ENABLE,
  'hardware.fixedCtrl': FIXED_CTR_CTRL,
};

/** Where PMU enable keeps what it has read until it writes it: by the micro-step that writes. */
const READ_BEFORE: Readonly<Record<number, { register: string; from: string }>> = {
  [code.E3_WRITE]: { register: 'hardware.pebsEnable', from: 'cpuc.pebsEnableRead' },
  [code.E5_WRITE]: { register: 'hardware.fixedCtrl', from: 'cpuc.fixedCtrlRead' },
  [code.E6]: { register: 'hardware.globalCtrl', from: 'cpuc.globalCtrlRead' },
};

/** What a micro-step k5 copies into a vCPU's load areas or VMCS fields, and from which half of the list. */
const LIST_HALVES: Readonly<Record<string, string>> = {
  'autoload.host': 'cpuc.guestSwitchMsrs.host',
  'autoload.guest': 'cpuc.guestSwitchMsrs.guest',
  hostGlobalCtrl: 'cpuc.guestSwitchMsrs.host',
  guestGlobalCtrl: 'cpuc.guestSwitchMsrs.guest',
};

/** The MSR of a register, or of an entry in a list or a load area. */
export function msrOf({ path, nth }: Place): number | undefined {
  if (path.endsWith('GlobalCtrl')) {
    return GLOBAL_CTRL;
  }
  const isEntry = path.startsWith('autoload.') || path.startsWith('cpuc.guestSwitchMsrs.');
  return isEntry ? nth : REGISTERS[path];
}

export class History {
  readonly steps: readonly PathStep[];
  private readonly parts: readonly Part[];

  constructor({ parts }: FieldWords, steps: readonly PathStep[]) {
    this.steps = steps;
    this.parts = parts;
  }

  /** What is known of a place's field. */
  item(place: Place): Item {
    const { path, nth } = place;
    return this.partOf(place).items.filter(({ field }) => field.path === path)[nth]!;
  }

  words(place: Place, state: MachineState): Int32Array {
    return this.partOf(place).record.of(state).words;
  }

  value(place: Place, state: MachineState): number {
    return this.words(place, state)[this.item(place).at]!;
  }

  /** The last step up to a number that wrote the place, or changed some of the bits there. */
  writer(place: Place, bits: number, until: number): PathStep | undefined {
    return this.last(until, (step) => writes(step, place) || this.changes(step, place, bits));
  }

  /** The last step up to a number that changed some of the bits. */
  changer(place: Place, bits: number, until: number): PathStep | undefined {
    return this.last(until, (step) => this.changes(step, place, bits));
  }

  /** An entry of a list or a load area also changes when it comes or goes. */
  private changes({ before, after }: PathStep, place: Place, bits: number): boolean {
    const item = this.item(place);
    const [from, to] = [this.words(place, before), this.words(place, after)];
    return (
      ((from[item.at]! ^ to[item.at]!) & bits) !== 0 || isThere(item, from) !== isThere(item, to)
    );
  }

  private last(until: number, found: (step: PathStep) => boolean): PathStep | undefined {
    for (let at = Math.min(until, this.steps.length) - 1; at >= 0; at -= 1) {
      if (found(this.steps[at]!)) {
        return this.steps[at];
      }
    }
    return undefined;
  }

  private partOf({ kind, index }: Place): Part {
    return this.parts.find(({ record }) => record.kind === kind && record.index === index)!;
  }
}

/** Whether a step writes a place, to the same value or another. */
function writes(step: PathStep, place: Place): boolean {
  if (place.kind === 'vcpu') {
    return sourceOf(step, place) !== undefined;
  }
  const msr = REGISTERS[place.path];
  return (
    msr !== undefined &&
    place.index === cpuOf(step.label) &&
    step.writes.some((write) => write.msr === msr)
  );
}

/** Where the value that a step wrote to a place was before; undefined where the step made it. */
export function sourceOf(step: PathStep, place: Place): Place | undefined {
  const index = cpuOf(step.label);
  const { executes } = step;
  if (executes === undefined) {
    return undefined;
  }
  const vcpu = step.before.cpus[index]!.target;
  if (place.kind === 'vcpu') {
    const half = LIST_HALVES[place.path];
    const msr = executes - code.K5;
    const isOwn = place.index === vcpu && msr >= 0 && msr < SWITCHED_MSRS && msrOf(place) === msr;
    return half !== undefined && isOwn ? { kind: 'cpu', index, path: half, nth: msr } : undefined;
  }
  const msr = REGISTERS[place.path];
  if (msr === undefined || place.index !== index) {
    return undefined;
  }
  const read = READ_BEFORE[executes];
  if (read?.register === place.path) {
    return { kind: 'cpu', index, path: read.from, nth: 0 };
  }
  const write = step.writes.findLast((one) => one.msr === msr);
  switch (write?.via) {
    case VM_ENTRY_LOAD:
      return { kind: 'vcpu', index: vcpu, path: 'autoload.guest', nth: msr };
    case VM_EXIT_LOAD:
      return { kind: 'vcpu', index: vcpu, path: 'autoload.host', nth: msr };
    case VMCS_FIELD: {
      const path = executes === code.V1 ? 'guestGlobalCtrl' : 'hostGlobalCtrl';
      return { kind: 'vcpu', index: vcpu, path, nth: 0 };
    }
    default:
      return undefined;
  }
}
