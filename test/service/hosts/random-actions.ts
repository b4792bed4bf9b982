/** Random actions on a host in the words of a script: many are refused, as those of a careless client would be. */
import type { ScriptAction } from '../../../schemas/script.js';
import { counterName } from '../../../src/pmu/arch/counter-set.js';
import type { Host } from '../../../src/service/hosts/host.js';
import type { Dice } from '../../pmu/random-walk.js';

const EXITS = [
  'external_interrupt',
  'nmi',
  'hlt',
  'fastpath_reenter',
  'vmfail',
  'entry_failure',
] as const;
const KINDS = ['vm_entry', 'vm_exit', 'round_trip', 'micro_step'] as const;
const GUEST_MSRS = [
  'IA32_PERF_GLOBAL_CTRL',
  'IA32_PEBS_ENABLE',
  'IA32_DS_AREA',
  'MSR_PEBS_DATA_CFG',
  'IA32_FIXED_CTR_CTRL',
  'IA32_PERFEVTSEL0',
  'IA32_PERFEVTSEL1',
  'IA32_PERF_GLOBAL_STATUS_RESET',
] as const;
const PLACES = [
  'k4_list_build',
  'k5_switch',
  'k7_lapic_wait',
  'guest',
  'v6_exit_load',
  'd4_pebs_enable',
];

export function randomAction(host: Host, dice: Dice): ScriptAction {
  const event = () => dice.pick(host.events.filter((record) => record !== undefined))?.id ?? 'ev_0';
  const vcpu = () => dice.pick(host.vcpus)?.id ?? 'vcpu_0';
  const cpu = dice.below(host.state.cpus.length);
  switch (dice.below(16)) {
    case 0:
    case 1:
      return { action: 'open_event', cpu, ...randomEvent(dice) };
    case 2:
      return { action: 'close_event', event: event(), ...cut(dice) };
    case 3:
      return { action: 'disable_event', event: event(), ...injected(dice), ...cut(dice) };
    case 4:
      return { action: 'enable_event', event: event(), ...cut(dice) };
    case 5:
      return {
        action: 'add_vcpu',
        cpu,
        vpmu: !dice.chance(4),
        pebs: !dice.chance(4),
        rtm: dice.chance(4),
        name: `guest ${dice.below(9)}`,
      };
    case 6:
    case 7:
      return {
        action: 'wrmsr',
        vcpu: vcpu(),
        msr: dice.pick(GUEST_MSRS),
        value: guestValue(dice),
        reprogram: !dice.chance(6),
      };
    case 8:
      return dice.chance(2)
        ? { action: 'nmi', cpu, throttle: [counterName(dice.below(4))] }
        : { action: 'overflow', cpu, counters: [counterName(dice.below(4))] };
    case 9:
      return dice.pick([
        { action: 'tick', cpu },
        { action: 'pmu_disable', cpu },
        { action: 'pmu_enable', cpu },
        { action: 'advance', cpu, ...cut(dice) },
        { action: 'bpf_snapshot', cpu },
      ] as const);
    case 10:
      return dice.pick([
        { action: 'migrate', vcpu: vcpu(), cpu },
        { action: 'sched_out', vcpu: vcpu() },
        { action: 'sched_in', vcpu: vcpu() },
        { action: 'remove_vcpu', vcpu: vcpu(), ...injected(dice) },
      ] as const);
    case 11:
      if (dice.chance(3)) return { action: 'microcode_load', microcode: dice.below(0x100) };
      return dice.chance(2) ? { action: 'tick', cpu } : { action: 'advance', cpu };
    default:
      return {
        action: 'transition',
        vcpu: vcpu(),
        kind: dice.pick(KINDS),
        count: 1 + dice.below(dice.chance(8) ? 500 : 12),
        exit_reason: dice.pick(EXITS),
        trace: false,
        ...injected(dice),
      };
  }
}

function randomEvent(dice: Dice) {
  const precise = dice.chance(2);
  return {
    ...(dice.chance(2)
      ? {}
      : { counter: counterName(dice.chance(3) ? 16 + dice.below(4) : dice.below(8)) }),
    ...(dice.chance(2) ? { name: `event ${dice.below(9)}` } : {}),
    precise_ip: precise ? 1 + dice.below(3) : 0,
    exclude_host: dice.chance(5),
    exclude_guest: dice.chance(2),
    large_pebs: precise && dice.chance(4),
    disabled: dice.chance(5),
    ...(dice.chance(3) ? { sample_period: 1 + dice.below(100_000) } : {}),
    ...(precise && dice.chance(3) ? { pebs_data_cfg: dice.below(16) } : {}),
  };
}

function injected(dice: Dice) {
  if (!dice.chance(3)) return {};
  const counters = [counterName(dice.below(3))];
  const what = dice.chance(4) ? { overflow: counters } : { nmi: { throttle: counters } };
  return { inject: [{ at: dice.pick(PLACES), occurrence: 1, ...what }] };
}

/** The operation is left in the middle. */
function cut(dice: Dice) {
  return dice.chance(4) ? { micro_steps: 1 + dice.below(8) } : {};
}

function guestValue(dice: Dice): string | number {
  return dice.pick([
    0,
    1,
    dice.below(16),
    0x43003c,
    0x5300c0,
    '0x1005300c0',
    `0xffff88800004${dice.below(9)}000`,
  ]);
}
