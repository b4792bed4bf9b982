/** The guests that may have run in a recording. */
import { formatCounterSet } from '../../model/values.js';
import type { VcpuSpec } from '../../model/world-spec.js';
import { type CounterSet, counterNames, FIXED_BIT } from '../../pmu/arch/counter-set.js';

export interface Guests {
  readonly vcpus: VcpuSpec[];
  /** The counters that they use. */
  readonly counters: CounterSet;
  /** Whether they write registers of their PMUs while it is recorded. */
  readonly write: boolean;
  /** In words. */
  readonly said: string;
}

type Wrmsrs = NonNullable<VcpuSpec['wrmsr']>;

/** `counters` are those that guests may use, `pebs` those of them with PEBS, and `count` is how many vCPUs are entered. */
export function* guestsOf(
  count: number,
  counters: CounterSet,
  pebs: CounterSet,
): Generator<Guests> {
  const counting = counted(counters, pebs);
  const later = countedLater(counters, pebs);
  if (counters !== 0 && count > 0) {
    yield { ...guests(count, counters, counting, 'uses'), write: false };
    yield guests(count, counters, counting, 'switches on and off');
    yield guests(count, counters, later, 'begins to use');
  }
  yield guests(count, 0);
  // Where no entry is recorded, entries may not have been traced at all.
  if (count === 0) {
    yield guests(1, 0);
    if (counters !== 0) yield guests(1, counters, counting, 'switches on and off');
  }
}

function guests(count: number, counters: CounterSet, wrmsr?: Wrmsrs, verb = 'uses'): Guests {
  const vcpus = Array.from({ length: count }, (_, at) => ({
    name: `v${at}`,
    ...(wrmsr === undefined ? {} : { wrmsr }),
  }));
  const used = counters === 0 ? 'no counter' : counterNames(counters).join(', ');
  const run = count === 1 ? '1 vCPU runs, and its' : `${count} vCPUs run, and each`;
  const said = count === 0 ? 'no vCPU runs' : `${run} guest ${verb} ${used}`;
  return { vcpus, counters, write: wrmsr !== undefined, said };
}

/** What a guest writes to count cycles on some counters, on some of them with PEBS. */
function counted(counters: CounterSet, pebs: CounterSet): Wrmsrs {
  const bits = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => counters & (1 << bit));
  const fixed = bits.reduce(
    (all, bit) => (bit < FIXED_BIT ? all : all | (0xb << (4 * (bit - FIXED_BIT)))),
    0,
  );
  return [
    STOP,
    ...pebsOf(pebs),
    ...bits
      .filter((bit) => bit < FIXED_BIT)
      .map((bit) => ({ msr: `IA32_PERFEVTSEL${bit}`, value: '0x43003c' })),
    ...(fixed === 0 ? [] : [{ msr: 'IA32_FIXED_CTR_CTRL', value: fixed }]),
    { msr: 'IA32_PERF_GLOBAL_CTRL', value: formatCounterSet(counters) },
  ];
}

/** Of a guest that is about to count: it has counted without PEBS, so that there are events behind its counters. */
function countedLater(counters: CounterSet, pebs: CounterSet): Wrmsrs {
  return [...counted(counters, 0), STOP, ...pebsOf(pebs)];
}

const STOP = { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x0' };

function pebsOf(pebs: CounterSet): Wrmsrs {
  if (pebs === 0) return [];
  return [
    { msr: 'IA32_DS_AREA', value: '0xffff888000049000' },
    { msr: 'IA32_PEBS_ENABLE', value: formatCounterSet(pebs) },
  ];
}
