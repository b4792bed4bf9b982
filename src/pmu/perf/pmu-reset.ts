/** What the NMI handler does about a status that never clears. Models: `intel_pmu_reset` (Linux arch/x86/events/intel/core.c). */
import { COUNTERS, FIXED, FIXED_BIT, lowestBit } from '../arch/counter-set.js';
import { COUNTER, EVENTSEL, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import type { PerfCpu, PerfWorld } from './perf-event.js';
import { writeGlobalCtrlZero } from './pmu-section.js';

/**
 * After 100 loops: every selector and counter := 0. perf's own fields stay as they are, and so do
 * IA32_PEBS_ENABLE and IA32_FIXED_CTR_CTRL: its events count as active, and a stuck bit stays stuck.
 */
export function resetPmu({ caps }: PerfWorld, cpu: PerfCpu, sink: WriteSink): void {
  const { hardware } = cpu;
  let rest = caps.intelCtrl & COUNTERS;
  while (rest !== 0) {
    const counter = lowestBit(rest);
    rest &= rest - 1;
    if (counter < FIXED_BIT) {
      sink.write(EVENTSEL + counter, PERF_WRMSR, 0, 'n8');
    }
    sink.write(COUNTER + counter, PERF_WRMSR, 0, 'n8');
  }
  hardware.counterEnable &= FIXED;
  hardware.status = 0;
  hardware.dsRecords = 0;
  writeGlobalCtrlZero(cpu, sink, 'n8');
}
