/** What a vCPU's MSR-load areas and VMCS fields hold, as resources. */
import type { Vcpu } from '../../schemas/vcpu.js';
import { msrName } from '../pmu/arch/msr.js';
import type { VcpuPmu } from '../pmu/kvm/vcpu-pmu.js';
import { formatCounterSet } from './wire.js';

type LoadAreas = Pick<Vcpu, 'vm_entry_msr_load' | 'vm_exit_msr_load' | 'global_ctrl_field'>;
type Area = LoadAreas['vm_entry_msr_load'];

/** `format` knows the addresses and data configurations behind the values. */
export function loadAreas(
  vcpu: VcpuPmu,
  format: (msr: number, value: number) => string,
): LoadAreas {
  const { autoload } = vcpu;
  const area = (side: Int32Array): Area =>
    autoload.listed().map((msr) => ({
      msr: msrName(msr) as Area[number]['msr'],
      value: format(msr, side[msr]!),
    }));
  return {
    vm_entry_msr_load: area(autoload.guest),
    vm_exit_msr_load: area(autoload.host),
    global_ctrl_field: vcpu.loadGlobalCtrl
      ? {
          guest: formatCounterSet(vcpu.guestGlobalCtrl),
          host: formatCounterSet(vcpu.hostGlobalCtrl),
        }
      : null,
  };
}
