import { GLOBAL_CTRL, isCounterMsr, msrName, switchedIn } from '../arch/msr.js';
import { type FaultsOf, freshFrom, onCpu, onVcpu } from './fault.js';
import { freshHostValue, isListed } from './lists.js';

export const listFaults: Readonly<Record<string, FaultsOf>> = {
  I8: (world, state, cpu, vcpu) => {
    if (vcpu === undefined) {
      return [];
    }
    const { autoload } = vcpu;
    return autoload
      .listed()
      .filter((msr) => autoload.host[msr] !== freshHostValue(world, state, cpu, msr))
      .map((msr) => {
        const desired = freshHostValue(world, state, cpu, msr);
        return {
          says: `VM-exit is about to load a stale ${msrName(msr)}: {value}, where perf wants {desired}`,
          place: onVcpu(cpu, 'autoload.host', msr),
          bits: isCounterMsr(msr) ? autoload.host[msr]! ^ desired : -1,
          desired,
          because: freshFrom(cpu, msr),
        };
      });
  },
  I9: (world, _state, cpu, vcpu) => {
    if (vcpu === undefined) {
      return [];
    }
    return switchedIn()
      .filter((msr) => !isListed(world, cpu, vcpu.autoload, msr))
      .map((msr) => ({
        says: `The load areas and the list disagree about ${msrName(msr)}`,
        place: onVcpu(cpu, 'autoload.present'),
        bits: 1 << msr,
        desired: vcpu.autoload.present ^ (1 << msr),
        because: [],
      }));
  },
  I11: (_world, _state, cpu) => {
    const list = cpu.cpuc.guestSwitchMsrs;
    const bits = list.guest[GLOBAL_CTRL]! & list.pebsMask;
    return [
      {
        says: '{bits} may run in the guest beside PEBS events of the host',
        place: onCpu(cpu, 'cpuc.guestSwitchMsrs.guest', GLOBAL_CTRL),
        bits,
        desired: list.guest[GLOBAL_CTRL]! & ~bits,
        because: [onCpu(cpu, 'cpuc.pebsEnabled')],
      },
    ];
  },
};
