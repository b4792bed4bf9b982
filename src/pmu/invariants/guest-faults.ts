import { firing, running } from '../arch/hardware.js';
import { wantedCounters } from '../kvm/guest-counters.js';
import { ACTIVE, counterSet } from '../perf/perf-event.js';
import {
  bitsOf,
  events,
  type FaultsOf,
  fires,
  mayStillRecord,
  onCpu,
  onVcpu,
  wholeRegister,
} from './fault.js';
import { guestPebsNow, isForcedOff, PEBS_DATA_CFG_LBR } from './guest.js';

export const guestFaults: Readonly<Record<string, FaultsOf>> = {
  I3: (_world, _state, cpu) => {
    const { cpuc, hardware } = cpu;
    const bits = cpuc.pebsEnabled & ~cpuc.intelCtrlGuestMask & firing(hardware);
    const set = fires(cpu, bits, 'A PEBS event of the host makes records in the guest');
    return set.length > 0 ? set : mayStillRecord(cpu);
  },
  I3s: (world, state, cpu, vcpu) =>
    vcpu === undefined
      ? []
      : fires(
          cpu,
          firing(cpu.hardware) & ~guestPebsNow(world, state, cpu, vcpu),
          "A counter that is not the guest's own makes PEBS records in the guest",
        ),
  I5g: (world, _state, cpu, vcpu) =>
    vcpu === undefined
      ? []
      : [
          ...wholeRegister(cpu, 'dsArea', vcpu.dsArea, [onVcpu(cpu, 'dsArea')]),
          ...(world.caps.pebsBaseline
            ? wholeRegister(cpu, 'pebsDataCfg', vcpu.pebsDataCfg, [onVcpu(cpu, 'pebsDataCfg')])
            : []),
        ],
  I23: (_world, _state, cpu) =>
    wholeRegister(
      cpu,
      'pebsDataCfg',
      cpu.hardware.pebsDataCfg & ~PEBS_DATA_CFG_LBR,
      [],
      '{place} is {value} in the guest, with LBR entries',
    ),
  I10: (world, state, cpu, vcpu) => {
    const { cpuc, hardware } = cpu;
    const { caps } = world;
    const foreign = hardware.globalCtrl & (~caps.intelCtrl | cpuc.intelCtrlHostMask);
    const guestPebs = vcpu === undefined ? 0 : guestPebsNow(world, state, cpu, vcpu);
    const pebs = hardware.globalCtrl & cpuc.pebsEnabled & caps.pebsCapable & ~guestPebs & ~foreign;
    return [
      ...bitsOf(cpu, 'globalCtrl', foreign, '{bits} {is} set in {place} of the guest', [
        onCpu(cpu, 'cpuc.intelCtrlHostMask'),
      ]),
      ...bitsOf(cpu, 'globalCtrl', pebs, '{bits} {is} set in {place} of the guest, for PEBS', [
        onCpu(cpu, 'cpuc.pebsEnabled'),
      ]),
    ];
  },
  I15: (world, state, cpu, vcpu) =>
    vcpu === undefined
      ? []
      : events(state, (event, at) => {
          const { owner, guestCounter } = world.eventConfigs[at]!;
          const wanted = wantedCounters(vcpu) & (1 << guestCounter);
          if (owner !== cpu.target || event.status !== ACTIVE || wanted === 0) {
            return [];
          }
          const bits = counterSet(event) & ~running(cpu.hardware);
          if (bits === 0 || isForcedOff(world, state, cpu, vcpu, event)) {
            return [];
          }
          const says = '{event} does not count in the guest: {bits} {is} missing from {place}';
          return [
            ...bitsOf(cpu, 'globalCtrl', bits & ~cpu.hardware.globalCtrl, says, []),
            ...bitsOf(cpu, 'counterEnable', bits & ~cpu.hardware.counterEnable, says, []),
          ];
        }),
};
