/**
 * What MSR writes cost in cycles, by a fit to the two pairs of measurements that were published.
 *
 * Source: v3 cover letter (8 May 2026): a fast-path round trip on Emerald Rapids took about 1120 cycles before the series
 * and 860 after it on an idle host, 1450 and 900 with host PEBS. Two equations, three unknowns, so there are two fits,
 * depending on whether a PEBS data configuration was set (semantics.md §6); the second is the more plausible one.
 * Both give 20 cycles for a load of IA32_PERF_GLOBAL_CTRL with its VMCS write.
 */
import type { RoundTripWrites } from './write-costs.js';

export interface CostModel {
  readonly id: string;
  readonly title: string;
  /** Cycles of a round trip that writes nothing. */
  readonly base: number;
  /** Cycles of an explicit WRMSR. */
  readonly wrmsr: number;
  /** Cycles of one entry of an MSR-load area. */
  readonly load: number;
  /** Cycles of one VMCS field load, its VMWRITE included. */
  readonly field: number;
}

export const COST_MODELS: readonly CostModel[] = [
  {
    id: 'emr-a1c-bc',
    title: 'Emerald Rapids, a data configuration was set in both measurements (A1c, Bc)',
    base: 860,
    wrmsr: 160,
    load: 65,
    field: 20,
  },
  {
    id: 'emr-a1-b',
    title: 'Emerald Rapids, no data configuration was set (A1, B)',
    base: 860,
    wrmsr: 30,
    load: 130,
    field: 20,
  },
];

export const DEFAULT_COST_MODEL = COST_MODELS[0]!;

/** Estimated cycles of `roundTrips` round trips with these writes in all. */
export function estimateCycles(
  model: CostModel,
  roundTrips: number,
  writes: RoundTripWrites,
): number {
  return (
    roundTrips * model.base +
    writes.kvm_wrmsr * model.wrmsr +
    (writes.vm_entry_load + writes.vm_exit_load) * model.load +
    writes.vmcs_field * model.field
  );
}
