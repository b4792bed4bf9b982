/** How a field came to be wrong, in a sentence: who wrote it, from where, what has changed since, and who left it so. */
import { counterNames } from '../../pmu/arch/counter-set.js';
import type { Fault, Place } from '../../pmu/invariants/fault.js';
import * as code from '../../pmu/machine/micro-step.js';
import type { MachineState } from '../../pmu/machine/state.js';
import type { MachineModel } from '../machine-model.js';
import { actionOf, operationOf } from '../steps/told.js';
import { decisionsOf } from './decisions.js';
import type { FieldWords } from './field-words.js';
import { type History, msrOf, sourceOf } from './history.js';
import type { PathStep } from './path-steps.js';

/** A field that is wrong at the end of a path, beside what it should be. */
export interface EndValue {
  /** Whose field it is. */
  readonly of: string;
  readonly field: string;
  readonly hardware: string;
  readonly desired: string;
  /** Of a set: the bits in which the two differ. */
  readonly bits?: string;
}

/** Where a wrong value comes from. */
interface Origin {
  readonly text: string;
  /** The step that made the value; 0 where it was there from the start. */
  readonly step: number;
}

/** A step that changed a place: of a set some bits, to 1 or to 0. */
interface Change {
  readonly place: Place;
  readonly step: PathStep;
  /** -1 where the value as a whole changed. */
  readonly bits: number;
  readonly isOn: boolean;
  /** Whether these are just the bits that the claim has named. */
  readonly isNamed: boolean;
}

const END = Number.POSITIVE_INFINITY;

export class Provenance {
  constructor(
    private readonly model: MachineModel,
    private readonly words: FieldWords,
    private readonly history: History,
    private readonly state: MachineState,
  ) {}

  /** The value at the end of the path. */
  endValue(faults: readonly Fault[]): EndValue {
    const { place, desired } = faults[0]!;
    const bits = bitsOf(faults);
    const value = this.history.value(place, this.state);
    const { kind, field, name } = this.history.item(place);
    return {
      of: this.words.partName(place),
      field: name,
      hardware: this.words.exact(kind, value, field),
      desired: this.words.exact(kind, bits === -1 ? desired : value ^ bits, field),
      ...(bits === -1 ? {} : { bits: counterNames(bits).join('+') }),
    };
  }

  /** What is wrong with a place, and why. */
  sentence(faults: readonly Fault[]): string {
    const { place } = faults[0]!;
    const bits = bitsOf(faults);
    const written = this.history.writer(place, bits, END);
    const origin = this.originOf(faults, written);
    const reasons = this.reasons(faults, written, origin);
    const first = reasons[0]?.step ?? END;
    const since = Math.max(written?.number ?? 0, first === END ? 0 : first);
    const parts = [
      origin.text,
      ...reasons.map(({ text }) => text),
      this.leftAlone(place, origin.step, written?.number ?? 0, since),
    ].filter((text) => text !== '');
    const claims = faults.map((fault) => this.claim(fault)).join(', and ');
    return `${[claims, parts.join('; ')].filter((text) => text !== '').join(': ')}.`;
  }

  private claim({ says, place, bits, desired, event }: Fault): string {
    const { kind, field, name } = this.history.item(place);
    const value = this.history.value(place, this.state);
    const names = counterNames(bits);
    return says
      .replace('{bits}', names.join('+'))
      .replace('{is}', names.length > 1 ? 'are' : 'is')
      .replace('{place}', `${this.ownerOf(place)}${name}`)
      .replace('{value}', this.words.value(kind, value, field))
      .replace('{desired}', this.words.value(kind, desired, field))
      .replace('{event}', this.words.partName({ kind: 'event', index: event ?? 0 }));
  }

  /** Who wrote a place last, followed back to where the value was made. */
  private originOf(faults: readonly Fault[], written: PathStep | undefined): Origin {
    const { place } = faults[0]!;
    const bits = bitsOf(faults);
    const isHardware = msrOf(place) !== undefined;
    if (written === undefined) {
      const text = `it has held ${this.valueIn(place, this.state)} since before step 1`;
      return { text: isHardware ? text : '', step: 0 };
    }
    const source = sourceOf(written, place);
    const step = written.number;
    if (source === undefined) {
      const text = isHardware
        ? `${this.who(written)} wrote ${this.valueIn(place, written.after)}`
        : this.changesOf(place, faults)
            .map((changed) => this.changeOf(changed, ''))
            .join(' and ');
      return { text, step };
    }
    const carried = this.history.writer(source, bits, step - 1);
    if (source.kind === 'vcpu') {
      return this.loaded(written, source, bits, carried);
    }
    const { name } = this.history.item(source);
    const at = carried === undefined ? '' : ` at step ${carried.number}`;
    const text =
      place.kind === 'vcpu'
        ? `${this.who(written)} took it from the list built${at}`
        : `${this.who(written)} wrote ${name}${at}`;
    return { text, step: carried?.number ?? 0 };
  }

  /** VM-entry or VM-exit loaded it from a load area or a VMCS field, where KVM had put it. */
  private loaded(
    written: PathStep,
    source: Place,
    bits: number,
    carried: PathStep | undefined,
  ): Origin {
    const { field, listing } = this.history.item(source);
    const area = listing === null ? field.name : `the ${field.name}`;
    if (carried === undefined) {
      return { text: `${this.who(written)} loaded what ${area} held from the start`, step: 0 };
    }
    const list = sourceOf(carried, source);
    const built = list && this.history.writer(list, bits, carried.number - 1);
    const from = built === undefined ? '' : `, from the list built at step ${built.number}`;
    return {
      text: `${this.who(written)} loaded the value that step ${carried.number} put into ${area}${from}`,
      step: built?.number ?? carried.number,
    };
  }

  /** What has changed since the value was made, so that it is wrong now. */
  private reasons(
    faults: readonly Fault[],
    written: PathStep | undefined,
    origin: Origin,
  ): Origin[] {
    const places = faults.flatMap(({ because }) => because);
    const distinct = places.filter(
      (place, at) => places.findIndex(({ path }) => path === place.path) === at,
    );
    return distinct
      .flatMap((place) => this.changesOf(place, faults))
      .filter(({ step }) => written === undefined || step.number > origin.step)
      .map((change) => {
        const { number } = change.step;
        const had = written !== undefined && number < written.number ? 'had ' : '';
        return { text: this.changeOf(change, had), step: number };
      })
      .sort((a, b) => a.step - b.step);
  }

  /** Who changed a place last: of a set, each of the bits, and those that one step changed the same way together. */
  private changesOf(place: Place, faults: readonly Fault[]): Change[] {
    const bits = bitsOf(faults);
    if (bits === -1 || !this.isSet(place)) {
      const step = this.history.changer(place, -1, END);
      return step === undefined ? [] : [{ place, step, bits: -1, isOn: false, isNamed: false }];
    }
    const areNamed = faults.every(({ says }) => says.includes('{bits}'));
    const changes: Change[] = [];
    for (let rest = bits; rest !== 0; rest &= rest - 1) {
      const bit = rest & -rest;
      const step = this.history.changer(place, bit, END);
      if (step !== undefined) {
        const isOn = (this.history.value(place, step.after) & bit) !== 0;
        const same = changes.find((one) => one.step === step && one.isOn === isOn);
        const all = (same?.bits ?? 0) | bit;
        const change = { place, step, bits: all, isOn, isNamed: areNamed && all === bits };
        changes.splice(same === undefined ? changes.length : changes.indexOf(same), 1, change);
      }
    }
    return changes.sort((a, b) => a.step.number - b.step.number);
  }

  private changeOf({ place, bits, isOn, isNamed, step }: Change, had: string): string {
    const { kind, name, field } = this.history.item(place);
    const [before, after] = [step.before, step.after].map((state) =>
      this.history.value(place, state),
    ) as [number, number];
    const whose = `${this.ownerOf(place)}${name}`;
    if (bits !== -1) {
      const names = counterNames(bits);
      const pronoun = names.length > 1 ? 'them' : 'it';
      const which = isNamed ? pronoun : names.join('+');
      return `${this.who(step)} ${had}${isOn ? 'set' : 'cleared'} ${which} in ${whose}`;
    }
    if (field.width === 1) {
      return `${this.who(step)} ${had}${after === 0 ? 'cleared' : 'set'} ${this.ownerOf(place)}"${name}"`;
    }
    const [from, to] = [before, after].map((value) => this.words.value(kind, value, field));
    return `${this.who(step)} ${had}changed ${whose} from ${from} to ${to}`;
  }

  /** Who could have written the register since, or the entry before it was loaded, and did not. */
  private leftAlone(place: Place, origin: number, written: number, since: number): string {
    const msr = msrOf(place);
    const isEntry = place.kind === 'vcpu';
    const left = this.history.steps.flatMap((step) =>
      decisionsOf(this.model.explored.world, step)
        .filter(({ msrs, of }) => {
          const counts =
            of === 'entry'
              ? step.number > origin && (isEntry || step.number < written)
              : !isEntry && step.number >= since;
          return counts && msr !== undefined && msrs.includes(msr);
        })
        .map(({ reason }) => `step ${step.number} (${reason})`),
    );
    return left.length === 0 ? '' : `left as it was by ${left.join(', ')}`;
  }

  private valueIn(place: Place, state: MachineState): string {
    return this.words.item(this.history.item(place), this.history.words(place, state));
  }

  private isSet(place: Place): boolean {
    const { kind } = this.history.item(place);
    return kind === 'counters' || kind === 'global_ctrl';
  }

  /** A step by who takes it. */
  private who({ executes, label, number, before, after, writes }: PathStep): string {
    if (executes === undefined) {
      return writes.some(({ row }) => row === 'n1')
        ? `the NMI (step ${number})`
        : `step ${number} (${actionOf(this.model.explored, before, label)})`;
    }
    if (executes >= code.V1_GUEST_STATE && executes <= code.V3_INJECT) {
      return `VM-entry (step ${number})`;
    }
    if (executes >= code.V4_SAVE && executes <= code.V6_EXIT_LOAD) {
      return `VM-exit (step ${number})`;
    }
    const name = code.stepName(executes);
    const operation =
      executes < code.K0_IRQ_OFF ? operationOf(this.model.explored, before, after, label) : '';
    return operation === ''
      ? `${name} (step ${number})`
      : `${name} of "${operation}" (step ${number})`;
  }

  /** Whose field a place is, where that is not plain. */
  private ownerOf(place: Place): string {
    const isPlain = place.kind === 'cpu' && this.state.cpus.length === 1;
    const isEntry = this.history.item(place).listing !== null;
    return isPlain || isEntry ? '' : `${this.words.partName(place)}'s `;
  }
}

/** All bits that are wrong at one place; -1 where the value as a whole is. */
function bitsOf(faults: readonly Fault[]): number {
  return faults.reduce((all, { bits }) => all | bits, 0);
}
