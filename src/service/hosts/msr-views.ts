/** The switched MSRs of a CPU as resources: the hardware value, the value perf wants, and what the vCPU's lists would load. */
import type { Msrs, MsrView } from '../../../schemas/msr.js';
import { type CounterSet, counterNames, FIXED } from '../../pmu/arch/counter-set.js';
import { FIXED_CTR_CTRL, GLOBAL_CTRL, isCounterMsr, msrName } from '../../pmu/arch/msr.js';
import type { VcpuPmu } from '../../pmu/kvm/vcpu-pmu.js';
import { isInGuest, VMX_ABORT } from '../../pmu/machine/micro-step.js';
import { desiredValue, registerValue, toldMsrs } from '../../pmu/machine/registers.js';
import { type LogicalCpu, NO_VCPU, RUN_VCPU } from '../../pmu/machine/state.js';
import { formatCounterSet, formatMsrIndex, formatMsrValue } from '../wire.js';
import type { Host } from './host.js';

export function msrsItem(host: Host, cpuIndex: number): Msrs {
  const cpu = host.state.cpus[cpuIndex]!;
  return {
    cpu: cpuIndex,
    mode: cpuMode(cpu),
    running_vcpu: cpu.operation === RUN_VCPU ? host.vcpus[cpu.target]!.id : null,
    msrs: msrViews(host, cpuIndex),
  };
}

export function cpuMode({ pc }: LogicalCpu): Msrs['mode'] {
  return pc === VMX_ABORT ? 'shut_down' : isInGuest(pc) ? 'guest' : 'host';
}

/** What of a host its registers can be read from. */
type Machine = Pick<Host, 'world' | 'state' | 'addresses'>;

/** The switched MSRs that this CPU model has, and IA32_FIXED_CTR_CTRL. */
export function msrViews(host: Machine, cpuIndex: number): MsrView[] {
  const cpu = host.state.cpus[cpuIndex]!;
  return toldMsrs(host.world.caps).map((msr) => msrView(host, cpu, msr));
}

function msrView(host: Machine, cpu: LogicalCpu, msr: number): MsrView {
  const isFixed = msr === FIXED_CTR_CTRL;
  const value = registerValue(cpu, msr);
  const desired = desiredValue(host.world, cpu, msr);
  const named = isFixed || isCounterMsr(msr);
  const names = (set: CounterSet): string[] => counterNames(isFixed ? set & FIXED : set);
  // In the guest the register holds the guest's value; what perf wants applies to the host.
  const compared = named && !isInGuest(cpu.pc);
  const vcpu = cpu.currentVcpu === NO_VCPU ? undefined : host.state.vcpus[cpu.currentVcpu];
  return {
    name: msrName(msr) as MsrView['name'],
    index: formatMsrIndex(msr),
    value: formatMsrValue(msr, value, host.addresses),
    bits: named ? names(value) : [],
    desired: formatMsrValue(msr, desired, host.addresses),
    stuck: compared ? names(value & ~desired) : [],
    lost: compared ? names(desired & ~value) : [],
    ...(vcpu === undefined || isFixed ? {} : loadsOf(host, vcpu, msr)),
  };
}

/** What the vCPU's load areas or VMCS fields hold for the register. */
function loadsOf(host: Machine, vcpu: VcpuPmu, msr: number): Partial<MsrView> {
  if (msr === GLOBAL_CTRL && vcpu.loadGlobalCtrl) {
    return {
      vm_entry_load: formatCounterSet(vcpu.guestGlobalCtrl),
      vm_exit_load: formatCounterSet(vcpu.hostGlobalCtrl),
    };
  }
  if (!vcpu.autoload.has(msr)) {
    return {};
  }
  return {
    vm_entry_load: formatMsrValue(msr, vcpu.autoload.guest[msr]!, host.addresses),
    vm_exit_load: formatMsrValue(msr, vcpu.autoload.host[msr]!, host.addresses),
  };
}
