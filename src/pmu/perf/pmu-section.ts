/**
 * PMU disable and enable: the rows d1…d4 and e2…e6, each one micro-step.
 *
 * Models: `x86_pmu_disable`/`x86_pmu_enable` with `intel_pmu_disable_all`/`intel_pmu_enable_all` (Linux 6.12.117
 * arch/x86/events/core.c, intel/core.c), semantics.md §3.1. With `pebs_enabled` 0 neither side touches
 * IA32_PEBS_ENABLE, so a wrong bit survives any number of sections.
 * Rows e3, e5 and e6 read a field and write it to an MSR later: an NMI may land between the two and change the field
 * (semantics.md §7.6, H3 and H11), so each part is a micro-step. Row e5 has a third, since perf notes in a field of its own what it
 * wrote.
 * Leaves out: LBR and BTS (d3, d5, e4, e7).
 */
import { writeFixedCtrCtrl } from '../arch/hardware.js';
import { FIXED_CTR_CTRL, GLOBAL_CTRL, PERF_WRMSR } from '../arch/msr.js';
import type { WriteSink } from '../arch/write-sink.js';
import { FIXED_CTRL_READ, hostGlobalCtrl } from './cpu-hw-events.js';
import { wrmsrPebsEnable } from './pebs-enable.js';
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
    wrmsrPebsEnable(world, cpu, 0, PERF_WRMSR, 'd4', sink);
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
    wrmsrPebsEnable(world, cpu, value, PERF_WRMSR, row, sink);
  }
}

/** Whether row e5 writes IA32_FIXED_CTR_CTRL. */
export function mustWriteFixedCtrl(world: PerfWorld, { cpuc }: PerfCpu): boolean {
  return cpuc.fixedCtrl !== cpuc.activeFixedCtrl || world.perfOptions.fixedCtrl === 'always';
}

/** e5, first part: reads `fixed_ctrl_val`. */
export function readFixedCtrl({ cpuc }: PerfCpu): void {
  cpuc.fixedCtrlRead = cpuc.fixedCtrl | FIXED_CTRL_READ;
}

/** e5, second part: IA32_FIXED_CTR_CTRL := what was read. */
export function writeFixedCtrl({ cpuc, hardware }: PerfCpu, sink: WriteSink): void {
  const value = cpuc.fixedCtrlRead & ~FIXED_CTRL_READ;
  writeFixedCtrCtrl(hardware, value);
  sink.write(FIXED_CTR_CTRL, PERF_WRMSR, value, 'e5');
}

/** e5, third part: perf notes what is in the register now. Linux reads `fixed_ctrl_val` again for that. */
export function noteFixedCtrl({ perfOptions }: PerfWorld, { cpuc }: PerfCpu): void {
  const { fixedCtrl, fixedCtrlRead } = cpuc;
  if (fixedCtrlRead !== 0) {
    const written = fixedCtrlRead & ~FIXED_CTRL_READ;
    cpuc.activeFixedCtrl = perfOptions.fixedCtrl === 'written' ? written : fixedCtrl;
    cpuc.fixedCtrlRead = 0;
  }
}

/** n9: the three parts of e5 at once; what an interrupted e5 has read stays as it is. */
export function updateFixedCtrl(
  world: PerfWorld,
  cpu: PerfCpu,
  sink: WriteSink,
  row: string,
): void {
  if (mustWriteFixedCtrl(world, cpu)) {
    const { cpuc, hardware } = cpu;
    writeFixedCtrCtrl(hardware, cpuc.fixedCtrl);
    cpuc.activeFixedCtrl = cpuc.fixedCtrl;
    sink.write(FIXED_CTR_CTRL, PERF_WRMSR, cpuc.fixedCtrl, row);
  }
}

/** e6, first half: reads `intel_ctrl_guest_mask`. */
export function readGuestMask(world: PerfWorld, { cpuc }: PerfCpu): void {
  cpuc.globalCtrlRead = hostGlobalCtrl(cpuc, world.caps.intelCtrl);
}

/** e6, second half: IA32_PERF_GLOBAL_CTRL := `intel_ctrl & ~` what was read. */
export function writeGlobalCtrlRead({ cpuc, hardware }: PerfCpu, sink: WriteSink): void {
  hardware.globalCtrl = cpuc.globalCtrlRead;
  sink.write(GLOBAL_CTRL, PERF_WRMSR, cpuc.globalCtrlRead, 'e6');
  cpuc.globalCtrlRead = 0;
}

/** n9 and others: both halves at once. */
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
