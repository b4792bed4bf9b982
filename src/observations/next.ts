/** What to run or send next, by what is missing. */
import type { Need } from './rules/r6-data.js';

const TWO_READS =
  'Send two reads at least 2 s apart, with CPU and the number of open PEBS events: ' +
  'for i in 1 2; do echo "# pebs_events=0 boot_id=$(cat /proc/sys/kernel/random/boot_id) ts=$(date -u +%FT%TZ)"; ' +
  'for d in /dev/cpu/[0-9]*; do n=$' +
  '{d##*/}; v=$(rdmsr -p "$n" -0 0x3f1) && echo "cpu=$n 3f1=$v"; done; sleep 2; done';

const BY_NEED: Readonly<Record<Need, string>> = {
  two_reads: TWO_READS,
  no_loss:
    'Record again with a filter on write_msr and read_msr (msr == 0x3f1 || msr == 0x38f || msr == 0x600) and a larger buffer_size_kb, so that nothing is lost.',
  readable: 'Load the msr driver (modprobe msr) and read as root: rdmsr -p <cpu> -0 0x3f1',
  reboot: 'Reboot the machine, let it run guests beside perf, and send new reads.',
  read_after_window:
    'Read the register while tracing, after kvm_exit: rdmsr -p <cpu> 0x3f1, with the event msr:read_msr on.',
  idle: `Close all PEBS events. ${TWO_READS}`,
  pmu_version: 'Send the machine\'s PMU version as well: dmesg | grep -A5 "Performance Events"',
  context:
    'Record in a form that shows the context: cat /sys/kernel/tracing/trace, trace-cmd report with flags, or perf record -g and perf script.',
};

/** In the order in which to mend them. */
const ORDER = Object.keys({
  readable: 0,
  no_loss: 0,
  reboot: 0,
  context: 0,
  pmu_version: 0,
  idle: 0,
  read_after_window: 0,
  two_reads: 0,
} satisfies Record<Need, 0>) as Need[];

export const WHOLE_TEXT =
  'Send the whole text: it ends in the middle of a line, or was said to be cut.';

export function nextStep(needs: ReadonlySet<Need>): string | null {
  const first = ORDER.find((need) => needs.has(need));
  return first === undefined ? null : BY_NEED[first];
}

/** What to do with a verdict that says something. */
export const AFTER_FAILURE =
  'Record the way there: trace write_msr of 0x3f1, kvm_entry, kvm_exit and nmi_handler, and ask for an explanation of the recording.';
