# Reads IA32_PEBS_ENABLE of every CPU in rounds.
#   ROUNDS  how many, by default 2
#   PAUSE   seconds between two of them, by default 2: less may be within two ticks
# Needs root, rdmsr (package msr-tools) and the msr driver, which it loads and unloads if it is not there.

DEV_CPU=${DEV_CPU:-/dev/cpu}
ROUNDS=${ROUNDS:-2}
PAUSE=${PAUSE:-2}

loaded=no
undo() {
  if [ "$loaded" = yes ]; then modprobe -r msr; fi
}

has_driver() {
  for device in "$DEV_CPU"/[0-9]*/msr; do
    [ -e "$device" ] && return 0
  done
  return 1
}

need rdmsr 'install the package msr-tools'
if ! has_driver; then
  need modprobe 'load the msr driver'
  modprobe msr || fail 'the msr driver cannot be loaded: run as root, on a kernel with CONFIG_X86_MSR'
  loaded=yes
  has_driver || fail "the msr driver shows no CPU in $DEV_CPU"
fi

# What rdmsr says where it has no value is worth sending too.
round() {
  echo "# host=$machine boot_id=$boot_id pebs_events=${PEBS_EVENTS:-} ts=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  for cpu in "$DEV_CPU"/[0-9]*; do
    cpu=${cpu##*/}
    if value=$(rdmsr -p "$cpu" -0 0x3f1 2>&1); then
      echo "cpu=$cpu 3f1=$value"
    else
      echo "$value"
    fi
  done
}

{
  facts
  round
  n=1
  while [ "$n" -lt "$ROUNDS" ]; do
    sleep "$PAUSE"
    round
    n=$((n + 1))
  done
} >"$work/text"
send rdmsr "$work/text"
