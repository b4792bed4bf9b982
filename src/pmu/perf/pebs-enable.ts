/**
 * WRMSR of IA32_PEBS_ENABLE. A bit that the CPU does not have makes it fault: Linux warns once, in `native_write_msr()`, and
 * goes on with the register as it was, while `pebs_enabled` has the new value.
 */
import type { CounterSet } from '../arch/counter-set.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import type { PerfCpu, PerfWorld } from './perf-event.js';

export function wrmsrPebsEnable(
  { caps }: PerfWorld,
  { hardware }: PerfCpu,
  value: CounterSet,
  via: number,
  row: string,
  sink: WriteSink,
): void {
  if ((value & caps.reserved[PEBS_ENABLE]!) === 0) {
    hardware.pebsEnable = value;
    sink.write(PEBS_ENABLE, via, value, row);
  }
}
