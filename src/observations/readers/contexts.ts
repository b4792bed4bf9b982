/** In what context something ran, and who did it: what the kernel's flags and stacks tell. */
import type { Context } from '../record.js';

/**
 * By the column of flags in a trace (`d.Z1.`). Its length and order differ between kernels, the letters do not: z and Z are an
 * NMI, h and H an interrupt, s a softirq. Hexadecimal depths have none of these letters.
 */
export function contextOfFlags(flags: string): Context {
  if (/z/i.test(flags)) return 'nmi';
  return /[hs]/i.test(flags) ? 'irq' : 'task';
}

/** A frame of a stack: the function's name, with offset, address and module beside it or not. */
const FRAME =
  /^\s*(?:=>\s*)?(?:[0-9a-f]{6,16}\s+)?(\[unknown\]|[A-Za-z_][\w$]*)(?:\.[\w.]+)?(?:\+0x[0-9a-f]+(?:\/0x[0-9a-f]+)?)?(?:\s+[([<].*)?$/;

const UNKNOWN = '[unknown]';

/** The function that a line of a stack names. */
export function functionOfFrame(text: string): string | null {
  return FRAME.exec(text)?.[1] ?? null;
}

/** What is on top of the stack of whoever accesses an MSR: the access itself and its tracing. */
const TRACING =
  /^(?:do_trace_|trace_|__traceiter_|perf_trace_|perf_tp_event|native_(?:read|write)_(?:msr|pmc)|__?(?:rd|wr)msr|(?:rd|wr)msr|paravirt_|pv_)/;

const NMI =
  /^(?:(?:asm_)?exc_nmi|do_nmi|default_do_nmi|nmi_handle|end_repeat_nmi|nmi|perf_event_nmi_handler|intel_pmu_handle_irq|handle_pmi_common)/;
const IRQ =
  /^(?:(?:asm_)?sysvec_|(?:asm_)?common_interrupt|do_IRQ|(?:smp_)?(?:apic_timer|reschedule|call_function(?:_single)?)_interrupt|__do_softirq|handle_softirqs|do_softirq|irq_exit|hrtimer_interrupt)/;
const TASK =
  /^(?:add_atomic_switch_msr|clear_atomic_switch_msr|vmx_vcpu_run|vcpu_enter_guest|vcpu_run|kvm_arch_vcpu_ioctl_run|kvm_vcpu_ioctl|do_syscall_64|entry_SYSCALL|ret_from_fork|kthread|worker_thread|cpu_startup_entry|do_idle|__schedule|schedule)$/;

/** Frames from the innermost outwards; the first that tells the context decides. */
export class Stack {
  writer: string | null = null;
  context: Context = 'unknown';
  /** Whether the frame of the writer has passed, named or not. */
  private passed = false;

  add(frame: string): void {
    if (!this.passed && !TRACING.test(frame)) {
      this.passed = true;
      if (frame !== UNKNOWN) this.writer = frame;
    }
    if (this.context !== 'unknown') return;
    if (NMI.test(frame)) this.context = 'nmi';
    else if (IRQ.test(frame)) this.context = 'irq';
    else if (TASK.test(frame)) this.context = 'task';
  }
}
