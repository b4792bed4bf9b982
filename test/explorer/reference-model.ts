/**
 * The reference transition system of the PEBS_ENABLE race as a Model: one physical CPU, `counters` counters (the top
 * `guestCounters` hold guest PEBS events), `vcpus` vCPUs pinned to it. It is an abstraction, poorer than the engine,
 * and is here to prove and to measure the explorer: several checkers agree on its counts.
 *
 * Low word: event planes e0 and e1 (00 closed, 01 disabled, 10 active, 11 throttled), IA32_PEBS_ENABLE, GLOBAL_CTRL,
 * latched overflows (late NMIs only), micro-step, target (running vCPU, or counter of a perf op), and as many of the
 * four fields of the switch list as fit. High word: the rest of the list, then one record a vCPU: in the autoload
 * lists, host value, guest value, the guest's own PEBS_ENABLE switch (only with guest counters).
 */
import type { Model, Property, Successors } from '../../src/explorer/model.js';
import { createCanonical } from './reference-symmetry.js';

export interface ReferenceArgs {
  readonly counters: number;
  readonly vcpus: number;
  readonly guestCounters: number;
  readonly variant: 'baseline' | 'no-isolation' | 'patch-v2' | 'zero-global-ctrl';
  /** true: an overflow is latched and its NMI may come any number of micro-steps later. */
  readonly lateNmi: boolean;
}

export const referenceVariants = [
  'baseline',
  'no-isolation',
  'patch-v2',
  'zero-global-ctrl',
] as const;

const properties: readonly Property[] = [
  { id: 'stuck', kind: 'always' },
  { id: 'lost', kind: 'always' },
  { id: 'leak', kind: 'always' },
];

// Micro-steps. Start and stop of an event take six each, from START and STOP on.
const HOST = 0;
const IRQ_OFF = 1;
const FIRST_READ = 2;
const SECOND_READ = 3;
const CTRL_FIELDS = 4;
const QUIESCED = 5;
const GUEST_ENTRY = 6;
const GUEST_ENTRY_GONE = 7;
const READY = 8;
const GUEST = 9;
const EXITED = 10;
const CTRL_ZEROED = 11;
/** From here on the target is a counter, below it a vCPU. */
export const FIRST_OP = 12;
const START = FIRST_OP;
const STOP = 18;

const labelTexts = [
  'NMI throttles event',
  'PEBS overflow latched, counter',
  'NMI, no throttle, status',
  'NMI throttles events in mask',
  'open event',
  'close event',
  'start: cpuc->enabled=0, event',
  'stop: cpuc->enabled=0, event',
  'local_irq_disable, vCPU',
  'guest toggles its PEBS_ENABLE, vCPU',
  'GLOBAL_CTRL=0 before the list is built',
  'list: read pebs_enabled, GLOBAL_CTRL entry',
  'list: second read, PEBS_ENABLE entry',
  'VMCS GLOBAL_CTRL fields set or cleared',
  'WRMSR PEBS_ENABLE,0',
  'autoload: guest entry removed',
  'autoload: nothing to remove',
  'autoload: guest entry written',
  'autoload: host entry written',
  'autoload: host entry removed',
  'VM-entry',
  'VM-exit',
  'VM-exit by PMI, NMI throttles guest event',
  'local_irq_enable',
  'fastpath re-entry',
  'op: GLOBAL_CTRL=0',
  'op: PEBS_ENABLE=0 if pebs_enabled',
  'op: event active, pebs_enabled|=bit',
  'op: event off, pebs_enabled&=~bit',
  'op: cpuc->enabled=1',
  'op: PEBS_ENABLE=pebs_enabled if any',
  'op: GLOBAL_CTRL=intel_ctrl',
] as const;

/** A label is the text's index * 16 + its argument; 15 stands for none. */
const NONE = 15;
const label = (text: (typeof labelTexts)[number], argument = NONE): number =>
  labelTexts.indexOf(text) * 16 + argument;

export function createModel(args: unknown): Model {
  return createReferenceModel(args as ReferenceArgs);
}

export function createReferenceModel({
  counters,
  vcpus,
  guestCounters,
  variant,
  lateNmi,
}: ReferenceArgs): Model {
  const full = (1 << counters) - 1;
  const hostMask = (1 << (counters - guestCounters)) - 1;
  const guestMask = full & ~hostMask;
  const hasGuest = guestCounters > 0;
  const noIsolation = variant === 'no-isolation';
  const patchV2 = variant === 'patch-v2';
  const zeroFirst = variant === 'zero-global-ctrl';

  const e1At = counters;
  const hwAt = 2 * counters;
  const ctrlAt = 3 * counters;
  const ovAt = 4 * counters;
  const stepAt = ovAt + (lateNmi ? counters : 0);
  const targetAt = stepAt + 5;
  const targetMask = counters > 4 ? 7 : 3;
  const listAt = targetAt + (counters > 4 ? 3 : 2);
  const listInLow = Math.min(4, Math.floor((32 - listAt) / counters));
  const listFields = [0, 1, 2, 3].map((field) => ({
    low: field < listInLow,
    shift: field < listInLow ? listAt + field * counters : (field - listInLow) * counters,
  }));
  const [ctrlHost, ctrlGuest, pebsHost, pebsGuest] = listFields as [
    ListField,
    ListField,
    ListField,
    ListField,
  ];
  const listLowClear = ~listFields
    .filter((field) => field.low)
    .reduce((mask, field) => mask | (full << field.shift), 0);
  const listHighClear = ~listFields
    .filter((field) => !field.low)
    .reduce((mask, field) => mask | (full << field.shift), 0);
  const vcpuAt = (4 - listInLow) * counters;
  const vcpuBits = 1 + 2 * counters + (hasGuest ? 1 : 0);
  if (vcpuAt + vcpus * vcpuBits > 32 || listAt > 32)
    throw new RangeError('this world does not fit two words');

  const chL = ctrlHost.low,
    chS = ctrlHost.shift,
    cgL = ctrlGuest.low,
    cgS = ctrlGuest.shift;
  const phL = pebsHost.low,
    phS = pebsHost.shift,
    pgL = pebsGuest.low,
    pgS = pebsGuest.shift;
  const successorsMax = 4 * counters + 2 * vcpus + 4;

  const nmiLabel = label('NMI throttles event', 0),
    overflowLabel = label('PEBS overflow latched, counter', 0);
  const nmiNoneLabel = label('NMI, no throttle, status', 0),
    nmiMaskLabel = label('NMI throttles events in mask', 0);
  const openLabel = label('open event', 0),
    closeLabel = label('close event', 0);
  const startLabel = label('start: cpuc->enabled=0, event', 0),
    stopLabel = label('stop: cpuc->enabled=0, event', 0);
  const runLabel = label('local_irq_disable, vCPU', 0),
    toggleLabel = label('guest toggles its PEBS_ENABLE, vCPU', 0);
  const guestPmiLabel = label('VM-exit by PMI, NMI throttles guest event', 0);
  const zeroLabel = label('GLOBAL_CTRL=0 before the list is built'),
    firstLabel = label('list: read pebs_enabled, GLOBAL_CTRL entry');
  const secondLabel = label('list: second read, PEBS_ENABLE entry'),
    fieldsLabel = label('VMCS GLOBAL_CTRL fields set or cleared');
  const quiesceLabel = label('WRMSR PEBS_ENABLE,0'),
    removeLabel = label('autoload: guest entry removed'),
    nothingLabel = label('autoload: nothing to remove');
  const writeGuestLabel = label('autoload: guest entry written'),
    writeHostLabel = label('autoload: host entry written');
  const removeHostLabel = label('autoload: host entry removed'),
    entryLabel = label('VM-entry'),
    exitLabel = label('VM-exit');
  const irqOnLabel = label('local_irq_enable'),
    fastpathLabel = label('fastpath re-entry');
  const opLabels = [
    label('op: GLOBAL_CTRL=0'),
    label('op: PEBS_ENABLE=0 if pebs_enabled'),
    0,
    label('op: cpuc->enabled=1'),
    label('op: PEBS_ENABLE=pebs_enabled if any'),
    label('op: GLOBAL_CTRL=intel_ctrl'),
  ];
  const eventOnLabel = label('op: event active, pebs_enabled|=bit', 0),
    eventOffLabel = label('op: event off, pebs_enabled&=~bit', 0);

  const putHw = (low: number, value: number): number => (low & ~(full << hwAt)) | (value << hwAt);
  const putCtrl = (low: number, value: number): number =>
    (low & ~(full << ctrlAt)) | (value << ctrlAt);
  const putStep = (low: number, step: number): number => (low & ~(31 << stepAt)) | (step << stepAt);
  const putTarget = (low: number, target: number): number =>
    (low & ~(targetMask << targetAt)) | (target << targetAt);
  /** cpuc->enabled is 0 between x86_pmu_disable() and x86_pmu_enable(). */
  const pmuOn = (step: number): boolean =>
    step < START || step === START + 4 || step === START + 5 || step > STOP + 3;
  /** The PMI handler: throttles the events in `mask`, writes PEBS_ENABLE anew if that changed anything, GLOBAL_CTRL back. */
  function pmi(low: number, mask: number): number {
    let active = (low >>> e1At) & ~low & full;
    const throttled = mask & active;
    if (throttled !== 0) {
      active &= ~throttled;
      low = putHw(low | throttled, active);
    }
    return putCtrl(low, pmuOn((low >>> stepAt) & 31) ? full & ~(active & guestMask) : 0);
  }

  function expand(states: Int32Array, at: number, out: Successors): void {
    const low = states[at] as number;
    const high = states[at + 1] as number;
    const words = out.words;
    const labels = out.labels;
    let n = out.count;
    const step = (low >>> stepAt) & 31;
    const target = (low >>> targetAt) & targetMask;
    const active = (low >>> e1At) & ~low & full;
    const hw = (low >>> hwAt) & full;
    const ctrl = (low >>> ctrlAt) & full;

    if (!lateNmi) {
      if (step !== GUEST) {
        for (let left = active & ctrl; left !== 0; left &= left - 1) {
          words[2 * n] = pmi(low, left & -left);
          words[2 * n + 1] = high;
          labels[n++] = nmiLabel + 31 - Math.clz32(left & -left);
        }
      }
    } else {
      const latched = (low >>> ovAt) & full;
      for (let left = active & ctrl & hw & ~latched; left !== 0; left &= left - 1) {
        words[2 * n] = low | ((left & -left) << ovAt);
        words[2 * n + 1] = high;
        labels[n++] = overflowLabel + 31 - Math.clz32(left & -left);
      }
      if (latched !== 0 && step !== GUEST) {
        const handled = low & ~(full << ovAt);
        words[2 * n] = pmi(handled, 0);
        words[2 * n + 1] = high;
        labels[n++] = nmiNoneLabel + latched;
        if ((latched & active) !== 0) {
          words[2 * n] = pmi(handled, latched);
          words[2 * n + 1] = high;
          labels[n++] = nmiMaskLabel + latched;
        }
      }
    }

    if (step === HOST) {
      for (let i = 0; i < counters; i++) {
        const e0 = (low >>> i) & 1;
        const e1 = (low >>> (e1At + i)) & 1;
        if (e0 === 0 && e1 === 0) {
          words[2 * n] = low ^ (1 << i);
          words[2 * n + 1] = high;
          labels[n++] = openLabel + i;
          continue;
        }
        if (e1 === 0) {
          words[2 * n] = low ^ (1 << i);
          words[2 * n + 1] = high;
          labels[n++] = closeLabel + i;
        }
        if (e0 === 1) {
          words[2 * n] = putTarget(putStep(low, START), i);
          words[2 * n + 1] = high;
          labels[n++] = startLabel + i;
        }
        if (e1 === 1) {
          words[2 * n] = putTarget(putStep(low, STOP), i);
          words[2 * n + 1] = high;
          labels[n++] = stopLabel + i;
        }
      }
      for (let v = 0; v < vcpus; v++) {
        words[2 * n] = putTarget(putStep(low, IRQ_OFF), v);
        words[2 * n + 1] = high;
        labels[n++] = runLabel + v;
        if (hasGuest) {
          words[2 * n] = low;
          words[2 * n + 1] = high ^ (1 << (vcpuAt + v * vcpuBits + vcpuBits - 1));
          labels[n++] = toggleLabel + v;
        }
      }
      out.count = n;
      return;
    }

    let a = low;
    let b = high;
    if (step >= START) {
      const start = step < STOP;
      const phase = start ? step - START : step - STOP;
      a = putStep(low, step + 1);
      labels[n] = opLabels[phase] as number;
      if (phase === 0) a = putCtrl(a, 0);
      else if (phase === 1) a = active !== 0 ? putHw(a, 0) : a;
      else if (phase === 2) {
        labels[n] = (start ? eventOnLabel : eventOffLabel) + target;
        a = start
          ? (a | (1 << (e1At + target))) & ~(1 << target)
          : (a & ~(1 << (e1At + target))) | (1 << target);
      } else if (phase === 4) a = active !== 0 ? putHw(a, active) : a;
      else if (phase === 5)
        a = putTarget(putStep(putCtrl(low, full & ~(active & guestMask)), HOST), 0);
      words[2 * n] = a;
      words[2 * n + 1] = b;
      out.count = n + 1;
      return;
    }

    const record = vcpuAt + target * vcpuBits;
    const listed = (high >>> record) & 1;
    switch (step) {
      case IRQ_OFF:
      case CTRL_ZEROED:
        if (zeroFirst && step === IRQ_OFF) {
          a = putStep(putCtrl(low, 0), CTRL_ZEROED);
          labels[n] = zeroLabel;
          break;
        }
        a = putStep(low, FIRST_READ);
        if (chL) a = putField(a, chS, full & ~(active & guestMask));
        else b = putField(b, chS, full & ~(active & guestMask));
        if (cgL) a = putField(a, cgS, full & ~(active & hostMask) & ~active);
        else b = putField(b, cgS, full & ~(active & hostMask) & ~active);
        if (pgL) a = putField(a, pgS, active);
        else b = putField(b, pgS, active);
        labels[n] = firstLabel;
        break;
      case FIRST_READ: {
        let host = active;
        let guest = 0;
        a = putStep(low, SECOND_READ);
        if (!noIsolation) {
          host = active & hostMask;
          if (hasGuest && ((high >>> (record + vcpuBits - 1)) & 1) === 1)
            guest = ((pgL ? low : high) >>> pgS) & ~(active & hostMask) & guestMask;
          if (host !== 0) guest = 0;
          else if (cgL) a |= guest << cgS;
          else b |= guest << cgS;
          if (patchV2) guest = host;
        }
        if (phL) a = putField(a, phS, host);
        else b = putField(b, phS, host);
        if (pgL) a = putField(a, pgS, guest);
        else b = putField(b, pgS, guest);
        labels[n] = secondLabel;
        break;
      }
      case SECOND_READ:
        a = putStep(low, CTRL_FIELDS);
        labels[n] = fieldsLabel;
        break;
      case CTRL_FIELDS:
        if ((((phL ? low : high) >>> phS) & full) !== (((pgL ? low : high) >>> pgS) & full)) {
          a = putStep(putHw(low, 0), QUIESCED);
          labels[n] = quiesceLabel;
        } else if (listed === 1) {
          a = putStep(low, GUEST_ENTRY_GONE);
          b = high & ~(full << (record + 1 + counters));
          labels[n] = removeLabel;
        } else {
          a = putStep(low, READY);
          labels[n] = nothingLabel;
        }
        break;
      case QUIESCED:
        a = putStep(low, GUEST_ENTRY);
        b = putField(high, record + 1 + counters, ((pgL ? low : high) >>> pgS) & full);
        labels[n] = writeGuestLabel;
        break;
      case GUEST_ENTRY:
        a = putStep(low, READY);
        b = putField(high, record + 1, ((phL ? low : high) >>> phS) & full) | (1 << record);
        labels[n] = writeHostLabel;
        break;
      case GUEST_ENTRY_GONE:
        a = putStep(low, READY);
        b = high & ~(full << (record + 1)) & ~(1 << record);
        labels[n] = removeHostLabel;
        break;
      case READY: {
        const guest = ((cgL ? low : high) >>> cgS) & full;
        a = putStep(low, GUEST);
        if (zeroFirst || (((chL ? low : high) >>> chS) & full) !== guest) a = putCtrl(a, guest);
        if (listed === 1) a = putHw(a, (high >>> (record + 1 + counters)) & full);
        labels[n] = entryLabel;
        break;
      }
      case GUEST: {
        const host = ((chL ? low : high) >>> chS) & full;
        a = putStep(low, EXITED);
        if (zeroFirst || host !== (((cgL ? low : high) >>> cgS) & full)) a = putCtrl(a, host);
        if (listed === 1) a = putHw(a, (high >>> (record + 1)) & full);
        words[2 * n] = a;
        words[2 * n + 1] = b;
        labels[n++] = exitLabel;
        if (!lateNmi) {
          for (let left = active & ctrl & hw & guestMask; left !== 0; left &= left - 1) {
            words[2 * n] = pmi(a, left & -left);
            words[2 * n + 1] = b;
            labels[n++] = guestPmiLabel + 31 - Math.clz32(left & -left);
          }
        }
        out.count = n;
        return;
      }
      case EXITED:
        b = high & listHighClear;
        words[2 * n] = putTarget(putStep(low & listLowClear, HOST), 0);
        words[2 * n + 1] = b;
        labels[n++] = irqOnLabel;
        a = putStep(low & listLowClear, IRQ_OFF);
        labels[n] = fastpathLabel;
        break;
    }
    words[2 * n] = a;
    words[2 * n + 1] = b;
    out.count = n + 1;
  }

  function putField(word: number, shift: number, value: number): number {
    return (word & ~(full << shift)) | (value << shift);
  }

  function check(states: Int32Array, at: number): number {
    const low = states[at] as number;
    const step = (low >>> stepAt) & 31;
    if (step !== HOST && step !== GUEST) return 0;
    const active = (low >>> e1At) & ~low & full;
    const hw = (low >>> hwAt) & full;
    if (step === HOST)
      return ((hw & ~active) !== 0 ? 1 : 0) | ((active & hostMask & ~hw) !== 0 ? 2 : 0);
    return (hw & (low >>> ctrlAt) & active & hostMask) !== 0 ? 4 : 0;
  }

  function describe(states: Int32Array, at: number, action?: number): string {
    if (action !== undefined) {
      const argument = action % 16;
      return (
        (labelTexts[Math.floor(action / 16)] ?? 'unknown action') +
        (argument === NONE ? '' : ` ${argument}`)
      );
    }
    const low = states[at] as number;
    const high = states[at + 1] as number;
    const list = (field: ListField): string =>
      (((field.low ? low : high) >>> field.shift) & full).toString(16);
    const hex = (shift: number): string => ((low >>> shift) & full).toString(16);
    let text = `pc=${(low >>> stepAt) & 31} act=${((low >>> e1At) & ~low & full).toString(16)} hw=${hex(hwAt)} gc=${hex(ctrlAt)}`;
    if (lateNmi) text += ` ovf=${hex(ovAt)}`;
    text += ` arr{pebs ${list(pebsHost)}/${list(pebsGuest)} gc ${list(ctrlHost)}/${list(ctrlGuest)}}`;
    for (let v = 0; v < vcpus; v++) {
      const record = high >>> (vcpuAt + v * vcpuBits);
      text += ` vmcs${v}{${record & 1} ${((record >>> 1) & full).toString(16)}/${((record >>> (1 + counters)) & full).toString(16)}}`;
    }
    return text;
  }

  const canonical = createCanonical({
    counters,
    guestCounters,
    vcpus,
    stepAt,
    targetAt,
    targetMask,
    listAt,
    listInLow,
    vcpuAt,
    vcpuBits,
  });

  return {
    words: 2,
    successorsMax,
    properties,
    initial(out) {
      out[0] = full << ctrlAt;
      out[1] = 0;
    },
    expand,
    check,
    describe,
    canonical,
  };
}

/** Bit positions that the symmetry needs to know. */
export interface ReferenceLayout {
  readonly counters: number;
  readonly guestCounters: number;
  readonly vcpus: number;
  readonly stepAt: number;
  readonly targetAt: number;
  readonly targetMask: number;
  readonly listAt: number;
  readonly listInLow: number;
  readonly vcpuAt: number;
  readonly vcpuBits: number;
}

interface ListField {
  readonly low: boolean;
  readonly shift: number;
}
