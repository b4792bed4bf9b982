/** What a kernel's switch list holds, found by asking the kernel for one. */
import type { PmuCaps } from '../arch/cpu-model.js';
import { PEBS_ENABLE } from '../arch/msr.js';
import { CpuHwEvents } from '../perf/cpu-hw-events.js';
import { readMasks, type SwitchInput } from '../perf/guest-switch.js';
import { SwitchList } from '../perf/switch-list.js';
import type { KernelVariant } from './kernel-variant.js';

const GUEST_WITHOUT_PEBS = { pebsEnable: 0, dsArea: 0, pebsDataCfg: 0, crossMapped: 0 };

type Lister = Pick<KernelVariant, 'finishList'>;

/** The MSRs of the list that a kernel makes, as a set of bits. */
function listed(kernel: Lister, list: SwitchList, input: SwitchInput): number {
  readMasks(list, input.cpuc, input.caps);
  kernel.finishList(list, input);
  return list.present;
}

/** Whether the kernel switches IA32_PEBS_ENABLE around a guest while a host PEBS event is active. */
export function switchesPebsEnable(kernel: Lister, caps: PmuCaps, noIsolation: boolean): boolean {
  const cpuc = new CpuHwEvents();
  cpuc.pebsEnabled = 1;
  cpuc.intelCtrlHostMask = 1;
  const input = { caps, noIsolation, cpuc, guest: GUEST_WITHOUT_PEBS };
  return (listed(kernel, new SwitchList(), input) & (1 << PEBS_ENABLE)) !== 0;
}

/** What `listedAlways` has found: whoever follows a recording asks it for many worlds. */
const found = new WeakMap<Lister, Map<string, number>>();

/** The MSRs that are in every list of the kernel, as a set of bits. */
export function listedAlways(kernel: Lister, caps: PmuCaps, noIsolation: boolean): number {
  const ofKernel = found.get(kernel) ?? new Map<string, number>();
  found.set(kernel, ofKernel);
  const key = JSON.stringify([caps, noIsolation]);
  const always = ofKernel.get(key) ?? inAllLists(kernel, caps, noIsolation);
  ofKernel.set(key, always);
  return always;
}

function inAllLists(kernel: Lister, caps: PmuCaps, noIsolation: boolean): number {
  const cpuc = new CpuHwEvents();
  const guest = { ...GUEST_WITHOUT_PEBS };
  const input = { caps, noIsolation, cpuc, guest };
  const list = new SwitchList();
  let always = ~0;
  // Two counters, and for each whether it is in each of five masks.
  for (let masks = 0; masks < 1 << 10; masks += 1) {
    cpuc.pebsEnabled = masks & 3;
    cpuc.intelCtrlHostMask = (masks >> 2) & 3;
    cpuc.intelCtrlGuestMask = (masks >> 4) & 3;
    guest.pebsEnable = (masks >> 6) & 3;
    guest.crossMapped = masks >> 8;
    always &= listed(kernel, list, input);
  }
  return always;
}
