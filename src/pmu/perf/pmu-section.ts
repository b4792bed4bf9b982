/**
 * PMU disable and enable: the rows d1…d4 and e2…e6, each one micro-step.
 *
 * Models: `x86_pmu_disable`/`x86_pmu_enable` with `intel_pmu_disable_all`/`intel_pmu_enable_all` (Linux 6.12.117
 * arch/x86/events/core.c, intel/core.c), semantics sheet §3.1. With `pebs_enabled` 0 neither side touches
 * IA32_PEBS_ENABLE, so a wrong bit survives any number of sections.
 * Row e3 is two micro-steps, the read of `pebs_enabled` and the WRMSR: an NMI may land between them (sheet H3).
 * Leaves out: LBR and BTS (d3, d5, e4, e7).
 */
import { FIXED_CTR_CTRL, GLOBAL_CTRL, PEBS_ENABLE, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import { hostGlobalCtrl } from './cpu-hw-events.js';
import type { PerfCpu, PerfWorld } from './perf-event.js';

/** d1: `enabled := 0`. */
export function disableLogically(cpu: PerfCpu): void {
  cpu.cpuc.enabled = 0;
}

/** d2, n1: IA32_PERF_GLOBAL_CTRL := 0. */
export function writeGlobalCtrlZero(cpu: PerfCpu, sink: WriteSink, row: string): void {
  cpu.hardware.globalCtrl = 0;
  sink.write(GLOBAL_CTRL, PERF_WRMSR, 0, row);
}

/** d4: IA32_PEBS_ENABLE := 0 if perf wants any bit in it. */
export function disablePebs(world: PerfWorld, cpu: PerfCpu, sink: WriteSink): void {
  if (cpu.cpuc.pebsEnabled !== 0 && world.caps.pebsEnableMsr) {
    cpu.hardware.pebsEnable = 0;
    sink.write(PEBS_ENABLE, PERF_WRMSR, 0, 'd4');
  }
}

/** e2: `enabled := 1`. */
export function enableLogically(cpu: PerfCpu): void {
  cpu.cpuc.enabled = 1;
}

/** e3, first half: reads `pebs_enabled`. */
export function readPebsEnabled(cpu: PerfCpu): void {
  cpu.cpuc.pebsEnableRead = cpu.cpuc.pebsEnabled;
}

/** e3, second half: IA32_PEBS_ENABLE := what was read, if not 0. */
export function writePebsEnable(
  world: PerfWorld,
  cpu: PerfCpu,
  sink: WriteSink,
  row: string,
): void {
  const value = cpu.cpuc.pebsEnableRead;
  cpu.cpuc.pebsEnableRead = 0;
  if ((value !== 0 || world.perfOptions.enableAllAlwaysWritesPebs) && world.caps.pebsEnableMsr) {
    cpu.hardware.pebsEnable = value;
    sink.write(PEBS_ENABLE, PERF_WRMSR, value, row);
  }
}

/** e5: IA32_FIXED_CTR_CTRL := what perf wants, if that changed. */
export function writeFixedCtrl(cpu: PerfCpu, sink: WriteSink, row: string): void {
  const { cpuc, hardware } = cpu;
  if (cpuc.fixedCtrl !== cpuc.activeFixedCtrl) {
    hardware.counterEnable = (hardware.counterEnable & ~cpuc.activeFixedCtrl) | cpuc.fixedCtrl;
    cpuc.activeFixedCtrl = cpuc.fixedCtrl;
    sink.write(FIXED_CTR_CTRL, PERF_WRMSR, cpuc.fixedCtrl, row);
  }
}

/** e6, n9: IA32_PERF_GLOBAL_CTRL := `intel_ctrl & ~intel_ctrl_guest_mask`. */
export function writeGlobalCtrl(
  world: PerfWorld,
  cpu: PerfCpu,
  sink: WriteSink,
  row: string,
): void {
  const value = hostGlobalCtrl(cpu.cpuc, world.caps.intelCtrl);
  cpu.hardware.globalCtrl = value;
  sink.write(GLOBAL_CTRL, PERF_WRMSR, value, row);
}
