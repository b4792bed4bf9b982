/** What is wrong where an invariant of pebs-enable.ts is violated. */
import { COUNTERS } from '../arch/counter-set.js';
import { running } from '../arch/hardware.js';
import { isCounterMsr, msrName, PEBS_ENABLE, switchedIn } from '../arch/msr.js';
import { VMX_ABORT } from '../machine/micro-step.js';
import { hostPebsBits } from '../perf/cpu-hw-events.js';
import {
  bitsOf,
  type FaultsOf,
  MISSING,
  mayStillRecord,
  onCpu,
  onVcpu,
  stuckPebsBits,
} from './fault.js';
import { switchesPebsEnable } from './invariant.js';

export const pebsEnableFaults: Readonly<Record<string, FaultsOf>> = {
  I1: (_world, _state, cpu) => stuckPebsBits(cpu),
  "I2'": (_world, _state, cpu) => stuckPebsBits(cpu),
  I2: (world, state, cpu) => {
    const { cpuc, hardware } = cpu;
    const spared =
      state.noIsolation === 0 && switchesPebsEnable(world, state) ? cpuc.intelCtrlGuestMask : 0;
    const bits = cpuc.pebsEnabled & ~spared & ~hardware.pebsEnable;
    return bitsOf(cpu, 'pebsEnable', bits, MISSING, [onCpu(cpu, 'cpuc.pebsEnabled')]);
  },
  I3o: (_world, _state, cpu) => [
    ...bitsOf(cpu, 'pebsEnable', hostPebsBits(cpu), '{bits} {is} set in {place} at VMLAUNCH', []),
    ...(hostPebsBits(cpu) === 0 ? mayStillRecord(cpu) : []),
  ],
  I12: (_world, _state, cpu) =>
    bitsOf(cpu, 'pebsEnable', cpu.hardware.pebsEnable, '{bits} {is} set again in {place}', []),
  I13: (_world, _state, cpu) => {
    const { cpuc, hardware } = cpu;
    const counting = running(hardware) & cpuc.activeMask & COUNTERS;
    const lost = counting & cpuc.pebsEnabled & ~hardware.pebsEnable;
    const set = counting & hardware.pebsEnable & ~cpuc.pebsEnabled;
    const because = [onCpu(cpu, 'cpuc.pebsEnabled'), onCpu(cpu, 'hardware.globalCtrl')];
    return [
      ...bitsOf(cpu, 'pebsEnable', lost, '{bits} {is} counting and missing from {place}', because),
      ...bitsOf(cpu, 'pebsEnable', set, '{bits} {is} counting and stuck in {place}', because),
    ];
  },
  I19: ({ caps }, state, cpu) => {
    if (cpu.pc === VMX_ABORT) {
      const { host, present } = state.vcpus[cpu.target]!.autoload;
      return switchedIn(present)
        .filter((msr) => (host[msr]! & caps.reserved[msr]!) !== 0)
        .map((msr) => ({
          says: `VM-exit loads {value} into ${msrName(msr)}, which refuses it (VMX abort)`,
          place: onVcpu(cpu, 'autoload.host', msr),
          bits: isCounterMsr(msr) ? host[msr]! & caps.reserved[msr]! : -1,
          desired: host[msr]! & ~caps.reserved[msr]!,
          because: [],
        }));
    }
    const bits = cpu.cpuc.pebsEnabled & caps.reserved[PEBS_ENABLE]!;
    return bits === 0
      ? []
      : [
          {
            says: 'Perf wants {bits}, which IA32_PEBS_ENABLE does not have',
            place: onCpu(cpu, 'cpuc.pebsEnabled'),
            bits,
            desired: cpu.cpuc.pebsEnabled & ~bits,
            because: [],
          },
        ];
  },
};
