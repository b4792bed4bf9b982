# Traces, in an ftrace instance of its own, who writes IA32_PEBS_ENABLE and its like, and when guests run.
#   SECONDS_TRACED  for how long, by default 2
#   BUFFER_KB       memory for the buffer of each CPU, by default 8192: 2 s of a CPU that enters its guest 20,000 times a second
# Needs root, tracefs and KVM loaded. With rdmsr (package msr-tools) the register is also read before tracing stops.

TRACING=${TRACING:-/sys/kernel/tracing}
SECONDS_TRACED=${SECONDS_TRACED:-2}
BUFFER_KB=${BUFFER_KB:-8192}
instance=$TRACING/instances/pebslab-$$

made=no
undo() {
  if [ "$made" = no ]; then return; fi
  echo 0 >"$instance/tracing_on"
  echo 0 >"$instance/events/enable"
  rmdir "$instance" || echo "pebslab: remove $instance by rmdir" >&2
}

[ -d "$TRACING/instances" ] || fail "there is no tracefs at $TRACING: mount -t tracefs nodev $TRACING"
[ -w "$TRACING/instances" ] || fail 'tracing needs root'
for event in msr/write_msr kvm/kvm_entry kvm/kvm_exit; do
  [ -d "$TRACING/events/$event" ] || fail "the kernel has no event $event: load kvm_intel, on a kernel with tracing"
done

mkdir "$instance" || fail 'the instance cannot be made: run as root'
made=yes
echo 0 >"$instance/tracing_on"
echo "$BUFFER_KB" >"$instance/buffer_size_kb"
for event in write_msr read_msr; do
  echo 'msr == 0x3f1 || msr == 0x38f || msr == 0x600 || msr == 0x3f2' >"$instance/events/msr/$event/filter"
done
for event in msr/write_msr msr/read_msr kvm/kvm_entry kvm/kvm_exit nmi/nmi_handler; do
  if [ -d "$instance/events/$event" ]; then echo 1 >"$instance/events/$event/enable"; fi
done

echo 1 >"$instance/tracing_on"
sleep "$SECONDS_TRACED"
if command -v rdmsr >/dev/null 2>&1; then
  for cpu in "$instance"/per_cpu/cpu*; do
    rdmsr -p "${cpu##*/cpu}" 0x3f1 >/dev/null 2>&1 || :
  done
fi
# What is still being written cannot be read whole.
echo 0 >"$instance/tracing_on"

{
  facts
  echo "# host=$machine boot_id=$boot_id pebs_events=${PEBS_EVENTS:-}"
  cat "$instance/trace"
  for cpu in "$instance"/per_cpu/cpu*; do
    echo "==> per_cpu/${cpu##*/}/stats <=="
    cat "$cpu/stats"
  done
} >"$work/text"
send ftrace "$work/text"
