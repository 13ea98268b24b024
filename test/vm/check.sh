# Sourced by the jobs beside it: checks that print one line each.
failed=0

section() { printf '\n== %s\n' "$1"; }

# check NAME COMMAND…: runs it, prints what it printed if it failed.
check() {
  local name=$1 output status
  shift
  output=$("$@" 2>&1 </dev/null) && status=0 || status=$?
  if [[ $status == 0 ]]; then
    printf 'ok      %s\n' "$name"
    [[ $1 == timed ]] && printf '%s\n' "$output" | sed 's/^/        /'
  else
    failed=$((failed + 1))
    printf 'FAILED  %s: status %s\n' "$name" "$status"
    printf '%s\n' "$output" | sed 's/^/        /'
  fi
  return 0
}

# is EXPECTED COMMAND…: its output is that.
is() {
  local expected=$1 output
  shift
  output=$("$@" 2>&1)
  output=${output//$'\r'/}
  [[ $output == "$expected" ]] || { printf 'expected: %s\ngot:      %s\n' "$expected" "$output"; return 1; }
}

# fails COMMAND…: it ends with another status than 0.
fails() { ! "$@"; }

# timed COMMAND…: says how long it took.
timed() {
  local start=$EPOCHREALTIME status
  "$@"
  status=$?
  awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "took %.1f s\n", b - a }'
  return $status
}

# What engine could leave on a host.
host_state() {
  ls -d /usr/local/lib/engine* /usr/local/bin/engine* /etc/systemd/system/*engine* /etc/systemd/system/*/*engine* /etc/engine* /var/lib/engine* /run/engine* /var/log/engine* 2>/dev/null
  awk '$5 ~ /engine/ { print $5 }' /proc/self/mountinfo
  ls /sys/class/net
  find /sys/fs/cgroup -maxdepth 3 -type d -name '*engine*' 2>/dev/null
  ps -eo comm= | grep -i engine
  grep -q . /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward
  command -v nft >/dev/null && nft list tables
  return 0
}

finish() {
  printf '\n%s checks failed\n' "$failed"
  [[ $failed == 0 ]]
}
