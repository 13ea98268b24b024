#!/usr/bin/env bash
# A job for a throw-away Debian, run in the checkout: sizes of containers and of volumes by project quotas, on an ext4 and on an XFS
# of its own, each with a daemon whose data root lies there.
set -u
. "$(dirname "$0")/check.sh"

check 'npm start' timed npm start
check 'programs' apt-get install -y -q quota e2fsprogs xfsprogs busybox-static
work=$(mktemp -d /var/tmp/quota.XXXXXX)
mib=$((1 << 20))

# engined_on NAME: a daemon with everything of it in $work/NAME.
engined_on() {
  local name=$1
  cat >"$work/$name.json" <<JSON
{"hosts": ["unix://$work/$name.sock"], "data-root": "$work/$name/data", "exec-root": "$work/$name.run", "bridge": "q$name", "nftables-table": "q$name",
 "cgroup-parent": "/q$name", "pidfile": "$work/$name.pid", "log-level": "warn"}
JSON
  dist/bin/node --no-warnings dist/engined.cjs --config "$work/$name.json" >>"$work/$name.log" 2>&1 &
  for _ in $(seq 600); do
    dist/bin/node --no-warnings dist/engine.cjs --host "unix://$work/$name.sock" version >/dev/null 2>&1 && return 0
    sleep 0.5
  done
  cat "$work/$name.log"
  return 1
}

end_engined() { kill "$(cat "$work/$1.pid")" && wait; }

e() { dist/bin/node --no-warnings dist/engine.cjs --host "unix://$work/$fs.sock" "$@"; }

# What an image needs: busybox.
image() {
  mkdir -p "$work/root/bin" "$work/root/tmp"
  cp /bin/busybox "$work/root/bin/"
  for name in sh dd df ls rm sleep true; do ln -sf busybox "$work/root/bin/$name"; done
  tar -C "$work/root" -cf - . | e import - busybox
}

# sized COMMAND…: in a container whose layer may take 20 MiB.
sized() { e run --rm --network none --storage-opt size=20m busybox sh -c "$1"; }

# within NUMBER LOW HIGH: it lies there.
within() { awk -v n="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(n >= low && n <= high) }' || { echo "$1 is not between $2 and $3"; return 1; }; }

dd_to() { printf 'dd if=/dev/zero of=%s bs=64k count=1000 2>&1; ls -l %s' "$1" "$1"; }

# has PATTERN TEXT: it is in there.
has() { grep -q -- "$1" <<<"$2"; }

# ended OUTPUT: the space came to its end at 20 MiB.
ended() {
  grep -qE 'No space left on device|Disk quota exceeded' <<<"$1" || { printf 'no end of the space: %s\n' "$1"; return 1; }
  within "$(awk '/^-/ { print $5 }' <<<"$1")" $((15 * mib)) $((20 * mib))
}

quotas() {
  check 'the daemon' engined_on "$fs"
  check 'the image' image
  section "$fs: a container's layer"
  out=$(sized "$(dd_to /file)")
  check 'ends at its size' ended "$out"
  check 'df shows it' is 20480 sh -c "$(declare -f e sized); fs=$fs work=$work; sized 'df -k /' | awk 'END { print \$2 }'"
  check 'another one has none' has 65536000 "$(e run --rm --network none busybox sh -c "$(dd_to /file)")"
  e create --name kept --network none --storage-opt size=20m busybox sh -c "$(dd_to /file)" >/dev/null
  out=$(e start -a kept)
  check 'also after it was created' ended "$out"
  check 'and started again' ended "$(e start -a kept)"
  section "$fs: a volume"
  check 'with a size' is sized e volume create --size 20m sized
  out=$(e run --rm --network none -v sized:/v busybox sh -c "$(dd_to /v/file)")
  check 'ends at it' ended "$out"
  check 'df shows it' is 20480 sh -c "$(declare -f e); fs=$fs work=$work; e run --rm --network none -v sized:/v busybox df -k /v | awk 'END { print \$2 }'"
  check 'by -o size' is opted e volume create -o size=20m opted
  check 'is the same' ended "$(e run --rm --network none -v opted:/v busybox sh -c "$(dd_to /v/file)")"
  check 'keeps it under another name' e volume rename sized renamed
  check 'which ends at it' ended "$(e run --rm --network none -v renamed:/v busybox sh -c "rm -f /v/file; $(dd_to /v/file)")"
  section "$fs: the limits are the file system's"
  repquota -P -n "$work/$fs" || true
  check 'three projects' is 3 sh -c "repquota -P -n '$work/$fs' | awk '\$1 ~ /^#10737/ && \$5 == 20480' | wc -l"
  section "$fs: killed, it sets them again"
  kill -9 "$(cat "$work/$fs.pid")"
  wait
  project=$(repquota -P -n "$work/$fs" | awk '$1 ~ /^#10737/ { sub("#", "", $1); print $1; exit }')
  setquota -P "$project" 0 0 0 0 "$work/$fs"
  check 'the daemon' engined_on "$fs"
  check 'three projects' is 3 sh -c "repquota -P -n '$work/$fs' | awk '\$1 ~ /^#10737/ && \$5 == 20480' | wc -l"
  section "$fs: what is removed leaves nothing"
  check 'rm' e rm kept
  check 'volume rm' e volume rm renamed opted
  for _ in $(seq 100); do repquota -P -n "$work/$fs" | grep -q '^#10737' || break; sleep 0.5; done
  check 'no project has a limit' is '' sh -c "repquota -P -n '$work/$fs' | awk '\$1 ~ /^#10737/ && (\$5 > 0 || \$3 > 64)'"
  end_engined "$fs"
  dist/bin/node --no-warnings dist/engined.cjs --config "$work/$fs.json" --teardown
  umount -l "$work/$fs"
}

section 'without quotas'
fs=plain
mkdir "$work/plain"
check 'the daemon' engined_on plain
check 'the image' image
check 'a size is refused' fails e create --storage-opt size=20m busybox true
check 'in the words of Docker' has "storage-opt is supported only for overlay over xfs with 'pquota' mount option" "$(e create --storage-opt size=20m busybox true 2>&1)"
check 'of a volume too' has 'quota size requested but no quota support' "$(e volume create --size 20m vol 2>&1)"
end_engined plain
dist/bin/node --no-warnings dist/engined.cjs --config "$work/plain.json" --teardown

fs=ext4
truncate -s 1G "$work/ext4.img"
check 'an ext4 with project quotas' mkfs.ext4 -q -O quota,project -E quotatype=prjquota "$work/ext4.img"
mkdir "$work/ext4"
check 'mounted' mount -o loop,prjquota "$work/ext4.img" "$work/ext4"
quotas

fs=xfs
truncate -s 1G "$work/xfs.img"
check 'an XFS' mkfs.xfs -q "$work/xfs.img"
mkdir "$work/xfs"
check 'mounted with pquota' mount -o loop,pquota "$work/xfs.img" "$work/xfs"
quotas

finish
