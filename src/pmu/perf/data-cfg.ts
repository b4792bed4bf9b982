/**
 * MSR_PEBS_DATA_CFG as perf keeps it: `pebs_data_cfg`, what is wanted, and `active_pebs_data_cfg`, what was written last.
 *
 * Models: `pebs_update_state`, `intel_pmu_pebs_enable` (Linux arch/x86/events/intel/ds.c). From 6.4 on perf marks a change
 * that is not yet in effect in bit 63 of the wanted value (`PEBS_UPDATE_DS_SW`). The mark is modelled only where it can be
 * seen: on kernels that narrow the configuration when all PEBS events but one are gone (6.4 to 6.8), where it stays until
 * that one is started again.
 */
import { PEBS_DATA_CFG, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import { isScheduled, type PerfCpu, type PerfEvent, type PerfWorld } from './perf-event.js';

/** Bit 63, folded into a bit below 32 that MSR_PEBS_DATA_CFG does not define. */
export const PEBS_UPDATE_DS_SW = 1 << 6;

/** Start of a PEBS event: writes the wanted configuration if it is not the active one. */
export function writeDataCfg(world: PerfWorld, { cpuc, hardware }: PerfCpu, sink: WriteSink): void {
  if (!world.caps.pebsBaseline) {
    return;
  }
  const wanted = cpuc.pebsDataCfg & ~PEBS_UPDATE_DS_SW;
  cpuc.pebsDataCfg = wanted;
  if (wanted !== cpuc.activePebsDataCfg) {
    cpuc.activePebsDataCfg = wanted;
    hardware.pebsDataCfg = wanted;
    sink.write(PEBS_DATA_CFG, PERF_WRMSR, wanted, 'start');
  }
}

/** Removal of a PEBS event: the fault of 6.4 to 6.8 forgets what the one that is left asked for. */
export function narrowDataCfg(world: PerfWorld, events: readonly PerfEvent[], cpu: PerfCpu): void {
  const { removalNarrowsDataCfg } = world.perfOptions;
  if (removalNarrowsDataCfg && world.caps.pebsBaseline && pebsEvents(events, cpu) === 1) {
    cpu.cpuc.pebsDataCfg = PEBS_UPDATE_DS_SW;
  }
}

/** `n_pebs`. */
function pebsEvents(events: readonly PerfEvent[], cpu: PerfCpu): number {
  let count = 0;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at]!;
    count += event.preciseIp > 0 && isScheduled(event, cpu) ? 1 : 0;
  }
  return count;
}
