#!/usr/bin/env bash
# A job for a throw-away Debian with systemd and cgroup v2, run in the checkout (README.md beside this file): npm start, what systemd and
# the kernel make of it, an upgrade, npm run uninstall. Prints one line for each check, and how many failed.
set -u
. "$(dirname "$0")/check.sh"

before=$(host_state)
section 'npm start'
check 'npm start' timed npm start
check 'npm start again' timed npm start

section 'units'
systemctl --no-pager --lines=5 status engine engine-shim engine-containers engine.socket
check 'engine.service is active' is active systemctl is-active engine.service
check 'engine-shim.service is active' is active systemctl is-active engine-shim.service
check 'engine.socket is active' is active systemctl is-active engine.socket
systemd-cgls --no-pager /engine.slice
systemd-cgls --no-pager /system.slice/engine.service

section 'cgroup v2'
id=$(engine run -d --name limited -m 64m --cpus 0.5 --pids-limit 50 busybox sleep 100000)
pid=$(engine inspect -f '{{.State.Pid}}' limited)
group=/sys/fs/cgroup/engine.slice/engine-containers.service/$id
check 'below the delegated unit' is "0::/engine.slice/engine-containers.service/$id" cat "/proc/$pid/cgroup"
check 'memory.max' is 67108864 cat "$group/memory.max"
check 'cpu.max' is '50000 100000' cat "$group/cpu.max"
check 'pids.max' is 50 cat "$group/pids.max"
check 'process is in it' is "$pid" cat "$group/cgroup.procs"
check 'its root is its own cgroup' is '0::/' engine exec limited cat /proc/self/cgroup
check 'limits seen from inside' is 67108864 engine exec limited cat /sys/fs/cgroup/memory.max
check 'swap limit' is 67108864 cat "$group/memory.swap.max"
engine run --name greedy -m 32m busybox sh -c 'x=a; while :; do x=$x$x; done' >/dev/null 2>&1
check 'over-allocation: exit status' is 137 engine inspect -f '{{.State.ExitCode}}' greedy
check 'over-allocation: reported' is true engine inspect -f '{{.State.OOMKilled}}' greedy
check 'pids limit holds' fails engine run --rm --pids-limit 4 busybox sh -c 'set -e; for i in 1 2 3 4 5 6; do sleep 5 & done; wait'
numbers=$(stat -c '%Hr %Lr' /dev/vda)
check 'a device that was not given can be made, but not opened' is 'Operation not permitted' \
  engine run --rm busybox sh -c "mknod /tmp/disk b $numbers && head -c 16 /tmp/disk 2>&1 | sed 's/.*: //'"
check 'one that was given can be read' is 16 engine run --rm --device /dev/vda:/dev/disk busybox sh -c 'head -c 16 /dev/disk | wc -c'
check 'and not written, if it was given for reading' is 'Operation not permitted' \
  engine run --rm --device /dev/vda:/dev/disk:r busybox sh -c 'true 2>&1 >>/dev/disk | sed "s/.*: //"'
check 'a privileged container opens every device' is 16 engine run --rm --privileged busybox sh -c "mknod /tmp/disk b $numbers && head -c 16 /tmp/disk | wc -c"
check 'pause' engine pause limited
check 'frozen' is 1 cat "$group/cgroup.freeze"
check 'unpause' engine unpause limited
check 'removed cgroup' engine rm -f greedy
check 'who is not root' is 1000 engine run --rm -u 1000 busybox id -u
check 'terminal' is /dev/pts/0 engine run --rm -t busybox tty
address=$(engine inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' sample)
check 'the sample serves its page' grep -q 'A container is a process' <(curl -s --max-time 60 "http://$address:8080/")

section 'restart and crash of engined'
check 'systemctl restart engine' timed systemctl restart engine
check 'same process after restart' is "$pid" engine inspect -f '{{.State.Pid}}' limited
check 'it lives' test -d "/proc/$pid"
kill -9 "$(systemctl show -P MainPID engine.service)"
check 'API after kill -9' is limited engine inspect -f '{{slice .Name 1}}' limited
check 'same process after kill -9' is "$pid" engine inspect -f '{{.State.Pid}}' limited
check 'exec after kill -9' is hello engine exec limited echo hello
shim=$(systemctl show -P MainPID engine-shim.service)
kill -9 "$shim"
for _ in 1 2 3 4 5 6 7 8 9 10; do [[ $(systemctl show -P MainPID engine-shim.service) != "$shim" ]] && break; sleep 1; done
check 'container outlives a killed shim' test -d "/proc/$pid"
check 'exec through the new shim' is hello engine exec limited echo hello
check 'limits still there' is 67108864 cat "$group/memory.max"
systemctl daemon-reload
check 'limits survive daemon-reload' is 67108864 cat "$group/memory.max"
check 'run after daemon-reload' is 67108864 engine run --rm -m 64m busybox cat /sys/fs/cgroup/memory.max

section 'upgrade'
sed -i 's/^const QUIET = .*/const QUIET = 3001/' packages/linux/src/memory.ts
shim=$(systemctl show -P MainPID engine-shim.service)
daemon=$(systemctl show -P MainPID engine.service)
inode=$(stat -c %i /usr/local/lib/engine/engine-shim.cjs)
check 'npm start after a change of the sources' timed npm start
check 'another program is installed' fails test "$inode" = "$(stat -c %i /usr/local/lib/engine/engine-shim.cjs)"
check 'another daemon' fails test "$daemon" = "$(systemctl show -P MainPID engine.service)"
check 'the same shim' is "$shim" systemctl show -P MainPID engine-shim.service
check 'upgraded in place' grep -q -e --resume "/proc/$shim/cmdline"
check 'same process of the container' is "$pid" engine inspect -f '{{.State.Pid}}' limited
check 'exec' is hello engine exec limited echo hello

section 'stop and start'
shim=$(systemctl show -P MainPID engine-shim.service)
check 'systemctl stop engine' timed systemctl stop engine.socket engine.service
check 'container has ended' fails test -d "/proc/$pid"
check 'shim goes on' is "$shim" systemctl show -P MainPID engine-shim.service
check 'systemctl start engine' timed systemctl start engine.service
check 'known as exited' is exited engine inspect -f '{{.State.Status}}' limited
check 'started again' engine start limited
check 'the shim is not stopped by hand' fails systemctl stop engine-shim.service
systemctl stop engine.service
check 'socket still listens' is active systemctl is-active engine.socket
check 'socket activation' is OK curl -s --max-time 120 --unix-socket /run/engine.sock http://localhost/_ping
check 'engine.service was started by it' is active systemctl is-active engine.service
check 'curl: version' curl -s --unix-socket /run/engine.sock http://localhost/v1.51/version
check 'curl: create' curl -sf --unix-socket /run/engine.sock -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["echo","hello"]}' 'http://localhost/v1.51/containers/create?name=curled'
check 'curl: start' is 204 curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/engine.sock -X POST http://localhost/v1.51/containers/curled/start
check 'curl: wait' curl -sf --unix-socket /run/engine.sock -X POST http://localhost/v1.51/containers/curled/wait
check 'curl: logs' grep -aq hello <(curl -s --unix-socket /run/engine.sock 'http://localhost/v1.51/containers/curled/logs?stdout=1')
check 'explain' engine explain curled

section 'everything stops with the unit of the containers'
check 'a container runs' engine start limited
pid=$(engine inspect -f '{{.State.Pid}}' limited)
check 'systemctl stop engine-containers' timed systemctl stop engine.socket engine-containers.service
check 'the daemon has ended' is inactive systemctl is-active engine.service
check 'the shim has ended' is inactive systemctl is-active engine-shim.service
check 'the container has ended' fails test -d "/proc/$pid"
check 'started again' systemctl start engine.socket engine.service
check 'the container was stopped, not killed by systemd' is exited engine inspect -f '{{.State.Status}}' limited

section 'what the journal says'
journalctl --no-pager -o short-monotonic -u engine -u engine-shim -u engine-containers -u engine.socket | tail -n 100
check 'no AppArmor denial' fails grep -q 'apparmor="DENIED"' <(journalctl -k --no-pager)

section 'npm run uninstall'
check 'npm run uninstall' timed npm run uninstall
check 'again' timed npm run uninstall
check 'host as before' is "$before" host_state
finish
