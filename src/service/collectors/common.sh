#!/bin/sh
# Collects what this machine shows of IA32_PEBS_ENABLE, and sends it to pebslab. Settings, all from the environment:
#   PEBSLAB_URL    where pebslab answers, e.g. http://pebslab:8080; without it the text is printed
#   PEBSLAB_TOKEN  the access token, if pebslab asks for one
#   MACHINE        the name to send; by default the host name
#   PEBS_EVENTS    how many perf events with PEBS are open here, if you know it; 0 says most
# Needs curl to send.
set -eu

PROC=${PROC:-/proc}

fail() {
  echo "pebslab: $*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null 2>&1 || fail "$1 is missing: $2"
}

# What a collector changes, its own function of this name puts back.
# shellcheck disable=SC2317
undo() {
  :
}

work=$(mktemp -d)
end() {
  status=$?
  trap - EXIT
  undo
  rm -rf "$work"
  exit "$status"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A word for a comment or an address.
word() {
  tr -c 'A-Za-z0-9._#+:\n-' - | head -n 1
}

machine=$(echo "${MACHINE:-$(uname -n)}" | tr -c 'A-Za-z0-9._\n-' -)
boot_id=$(word <"$PROC/sys/kernel/random/boot_id")

# One comment for each thing that is known of the machine; where its CPUs differ, one for each value.
facts() {
  echo "# kernel_release=$(uname -r | word) kernel_version=$(uname -v | word)"
  awk -F '[ \t]*: *' '
    function fact(name, value) {
      if (value != "" && !((name, value) in seen)) print "# " name "=" value
      seen[name, value] = 1
    }
    $1 == "processor"  { cpus += 1 }
    $1 == "vendor_id"  { fact("cpu_vendor", $2) }
    $1 == "cpu family" { fact("cpu_family", $2) }
    $1 == "model"      { fact("cpu_model", $2) }
    $1 == "stepping"   { fact("cpu_stepping", $2) }
    $1 == "microcode"  { fact("microcode", $2) }
    $1 == "flags" {
      flags = " " $2 " "
      fact("pebs", flags ~ / pebs / ? "yes" : "no")
      if (flags ~ / hypervisor /) fact("hypervisor", "yes")
    }
    END { fact("cpus", cpus) }
  ' "$PROC/cpuinfo"
}

# send FORMAT FILE
send() {
  if [ -z "${PEBSLAB_URL:-}" ]; then
    cat "$2"
    return
  fi
  need curl 'install it, or unset PEBSLAB_URL to have the text printed'
  # Not on the command line, which every user can see.
  if [ -n "${PEBSLAB_TOKEN:-}" ]; then
    printf 'header = "Authorization: Bearer %s"\n' "$PEBSLAB_TOKEN"
  fi >"$work/curl"
  code=$(curl -sS --retry 3 -K "$work/curl" -o "$work/answer" -w '%{http_code}' \
    -H 'Content-Type: text/plain' -H "Idempotency-Key: \"$boot_id-$(date +%s)-$$\"" \
    --data-binary "@$2" \
    "$PEBSLAB_URL/v1/observations?format=$1&machine=$machine${PEBS_EVENTS:+&pebs_events=$PEBS_EVENTS}")
  cat "$work/answer"
  case $code in
    2*) ;;
    *) fail "the text was not taken (HTTP $code)" ;;
  esac
}
