# Sends the kernel's log since the machine started.
# Needs dmesg or journalctl, and root where the log is not for everybody. It changes nothing.

if command -v dmesg >/dev/null 2>&1 && dmesg >"$work/log" 2>"$work/why"; then
  :
elif command -v journalctl >/dev/null 2>&1 && journalctl -k -b -o short-monotonic --no-pager >"$work/log" 2>"$work/why"; then
  :
elif [ -e "$work/why" ]; then
  fail "the kernel's log cannot be read: $(cat "$work/why")"
else
  fail 'dmesg or journalctl is missing: install util-linux or systemd'
fi

{
  facts
  echo "# host=$machine boot_id=$boot_id pebs_events=${PEBS_EVENTS:-}"
  cat "$work/log"
} >"$work/text"
send console "$work/text"
