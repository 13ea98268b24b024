#!/usr/bin/env bash
# A job for a throw-away Debian with systemd and cgroup v2, run in the checkout: userns-remap on this release's kernel.
set -u
. "$(dirname "$0")/check.sh"

# has PATTERN TEXT: it is in there.
has() { grep -q -- "$1" <<<"$2"; }

check 'npm start' timed npm start
check 'programs' apt-get install -y -q apparmor curl

section 'before'
engine run --name before busybox sh -c 'echo x > /before; chown 33:34 /before'
engine run --rm -v old:/v busybox sh -c 'echo x > /v/f; chmod 600 /v/f'

section 'userns-remap: default'
mkdir -p /etc/engine
echo '{"userns-remap": "default"}' >/etc/engine/engine.json
check 'restart' timed systemctl restart engine
check 'a range was reserved' grep -Eqx 'dockremap:[0-9]+:65536' /etc/subuid
check 'in both files' grep -Eqx 'dockremap:[0-9]+:65536' /etc/subgid
first=$(awk -F: '$1 == "dockremap" { print $2 }' /etc/subuid)
check 'info' has name=userns "$(engine info -f '{{json .SecurityOptions}}')"

section 'a container'
engine run -d --name web -p 8080:80 busybox sh -c 'echo hello > /index.html; httpd -f -h / -p 80'
pid=$(engine inspect -f '{{.State.Pid}}' web)
check 'is nobody on the host' is "$first" awk '/^Uid:/ { print $2 }' "/proc/$pid/status"
check 'and root inside' is 0 engine exec web id -u
check 'whose ids are mapped' is "0 $first 65536" sh -c "tr -s ' ' </proc/$pid/uid_map | sed 's/^ //'"
check 'answers at its port' is hello sh -c 'for i in $(seq 50); do curl -sf http://127.0.0.1:8080/index.html && break; sleep 0.2; done'
dir=$(engine inspect -f '{{.GraphDriver.Data.UpperDir}}' web)
check 'its files on disk are root'"'"'s' is 0 stat -c %u "$dir/index.html"
check 'and its root'"'"'s where they are mounted' is "$first" stat -c %u "$(dirname "$dir")/merged/index.html"
check 'sees its cgroup' is 0::/ engine exec web cat /proc/self/cgroup
check 'at /sys/fs/cgroup' engine exec web test -r /sys/fs/cgroup/memory.current
check 'which it cannot write to' fails engine exec web sh -c 'echo 1 > /sys/fs/cgroup/memory.max'
check 'is under the AppArmor profile' is 'docker-default (enforce)' cat "/proc/$pid/attr/current"
check 'has limits' is 33554432 engine run --rm -m 32m busybox cat /sys/fs/cgroup/memory.max
check 'a terminal' is /dev/pts/0 sh -c "engine run --rm -t busybox tty | tr -d '\r' | sed 's,/dev/console,/dev/pts/0,'"
check 'what was made before is right' is 33:34 sh -c 'engine start before >/dev/null; engine cp before:/before - | tar --numeric-owner -tv | awk "{ sub(\"/\", \":\", \$2); print \$2 }"'
check 'a volume of before is the host'"'"'s' fails engine run --rm -v old:/v busybox cat /v/f
check 'and to be had with --userns host' is x engine run --rm --userns host -v old:/v busybox cat /v/f
check 'a new one is its own' is 0:0 sh -c "engine run --rm -v new:/v busybox sh -c 'touch /v/f; stat -c %u:%g /v/f'"
check 'the host'"'"'s cgroups' engine run --rm --cgroupns host busybox test -d /sys/fs/cgroup/system.slice
check 'devices' is 4 sh -c "engine run --rm --device /dev/zero:/dev/nought busybox sh -c 'head -c 4 /dev/nought | wc -c'"
check 'no nodes of its own' fails engine run --rm --cap-add ALL busybox mknod /n c 1 3
check 'privileged is refused' has 'privileged mode is incompatible with user namespaces' "$(engine run --rm --privileged busybox true 2>&1)"
check 'but not with --userns host' engine run --rm --privileged --userns host busybox true
check 'a build' is 33 sh -c "printf 'FROM busybox\nRUN touch /f && chown 33 /f\n' | engine build -q -t built - >/dev/null && engine run --rm built stat -c %u /f"

section 'and off again'
engine rm -f web >/dev/null
rm /etc/engine/engine.json
check 'restart' timed systemctl restart engine
check 'the same image, the same files' is 33 engine run --rm built stat -c %u /f
check 'of the host' is "0 0 4294967295" sh -c "engine run --rm busybox cat /proc/self/uid_map | tr -s ' ' | sed 's/^ //'"
check 'what was made before' is 33:34 sh -c "engine export before | tar --numeric-owner -tv | awk '\$6 == \"before\" { sub(\"/\", \":\", \$2); print \$2 }'"

engine rm -f before >/dev/null
finish
