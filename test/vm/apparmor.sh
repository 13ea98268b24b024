#!/usr/bin/env bash
# A job for a throw-away Debian with AppArmor, run in the checkout: the profile that containers are under which name none.
set -u
. "$(dirname "$0")/check.sh"

check 'apparmor_parser' apt-get install -y -q apparmor
check 'the kernel has AppArmor' is Y cat /sys/module/apparmor/parameters/enabled
check 'npm start' timed npm start

section 'the profile'
check 'is loaded' grep -qx 'docker-default (enforce)' /sys/kernel/security/apparmor/profiles
check 'info says so' is true sh -c "engine info -f '{{json .SecurityOptions}}' | grep -q name=apparmor && echo true"
engine run -d --name confined busybox sleep 100000 >/dev/null
pid=$(engine inspect -f '{{.State.Pid}}' confined)
check 'inspect' is docker-default engine inspect -f '{{.AppArmorProfile}}' confined
check 'the kernel, of its process' is 'docker-default (enforce)' cat "/proc/$pid/attr/current"
check 'of exec' is 'docker-default (enforce)' engine exec confined cat /proc/self/attr/current
check 'of exec --privileged' is 'docker-default (enforce)' engine exec --privileged confined cat /proc/self/attr/current
check 'privileged' is unconfined engine run --rm --privileged busybox cat /proc/self/attr/current
check 'unconfined' is unconfined engine run --rm --security-opt apparmor=unconfined busybox cat /proc/self/attr/current
check 'one that is not there' fails engine run --rm --security-opt apparmor=no-such-profile busybox true
check 'no-new-privileges does not hinder it' is 'docker-default (enforce)' engine run --rm --security-opt no-new-privileges busybox cat /proc/self/attr/current
check 'nor does a user' is 'docker-default (enforce)' engine run --rm -u 1000 busybox cat /proc/self/attr/current

section 'what it denies, whatever capabilities and open paths there are'
open='--cap-add ALL --security-opt seccomp=unconfined --security-opt systempaths=unconfined --tmpfs /mnt'
check 'mount' fails engine run --rm $open busybox mount -t tmpfs none /tmp
check '/proc/sysrq-trigger' fails engine run --rm $open busybox sh -c 'echo h > /proc/sysrq-trigger'
check '/proc/kcore' fails engine run --rm $open busybox head -c 1 /proc/kcore
check '/proc/sys/kernel/core_pattern' fails engine run --rm $open busybox sh -c 'echo x > /proc/sys/kernel/core_pattern'
check '/proc/sys/vm' fails engine run --rm $open busybox sh -c 'echo 0 > /proc/sys/vm/swappiness'
check '/proc/irq' fails engine run --rm $open busybox sh -c 'echo 1 > /proc/irq/default_smp_affinity'
check '/sys/firmware' fails engine run --rm $open busybox sh -c 'cat /sys/firmware/memmap/0/start'
check 'which is there without the profile' engine run --rm $open --security-opt apparmor=unconfined busybox cat /sys/firmware/memmap/0/start
check 'signals to the host' fails engine run --rm $open --pid host busybox kill -0 1

section 'what it leaves'
check 'files, links, programs' is ok engine run --rm busybox sh -c 'cp /bin/busybox /tmp/b && ln /tmp/b /tmp/sh && /tmp/sh -c "echo ok"'
check 'its own processes' is 500 engine run --rm busybox sh -c 'echo 500 > /proc/self/oom_score_adj && cat /proc/self/oom_score_adj'
check 'signals among its processes' engine run --rm busybox sh -c 'sleep 100 & kill $!; wait; true'
check 'sockets' is hello engine run --rm busybox sh -c 'nc -l -p 7 -e echo hello & sleep 1; nc 127.0.0.1 7'
check 'unix sockets' engine run --rm busybox sh -c 'syslogd -n -O /tmp/log & sleep 1; logger x; sleep 1; grep -q x /tmp/log'
check 'stop, from outside' timed engine stop -t 5 confined
check 'ended by its signal or killed' is exited engine inspect -f '{{.State.Status}}' confined

section 'the profile is taken away'
apparmor_parser --remove <<<'profile docker-default {}' 
check 'containers run under none' is unconfined engine run --rm busybox cat /proc/self/attr/current
systemctl restart engine
check 'it is back after a restart' is 'docker-default (enforce)' engine run --rm busybox cat /proc/self/attr/current

engine rm -f confined >/dev/null
finish
