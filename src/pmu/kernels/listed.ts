/** What a kernel's switch list holds, found by asking the kernel for one. */
import type { PmuCaps } from '../arch/cpu-model.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import { CpuHwEvents } from '../perf/cpu-hw-events.js';
import { readMasks } from '../perf/guest-switch.js';
import { SwitchList } from '../perf/switch-list.js';
import type { KernelVariant } from './kernel-variant.js';

const GUEST_WITHOUT_PEBS = { pebsEnable: 0, dsArea: 0, pebsDataCfg: 0, crossMapped: 0 };

/** Whether the kernel switches IA32_PEBS_ENABLE around a guest while a host PEBS event is active. */
export function switchesPebsEnable(
  { finishList }: Pick<KernelVariant, 'finishList'>,
  caps: PmuCaps,
  noIsolation: boolean,
): boolean {
  const cpuc = new CpuHwEvents();
  cpuc.pebsEnabled = 1;
  cpuc.intelCtrlHostMask = 1;
  const list = new SwitchList();
  readMasks(list, cpuc, caps);
  finishList(list, { caps, noIsolation, cpuc, guest: GUEST_WITHOUT_PEBS });
  return (list.present & (1 << PEBS_ENABLE)) !== 0;
}
