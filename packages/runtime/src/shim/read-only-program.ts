import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { setCloseOnExec } from '@engine/linux/descriptor-flags'
import { execve } from '@engine/linux/execve'
import { AT_FDCWD, MountAttribute, OPEN_TREE_CLONE, Propagation, mountSetattr, moveMount, openTree } from '@engine/linux/mount-api'
import { O_PATH, openat2 } from '@engine/linux/openat2'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'

/**
 * Makes sure that this process runs a Node binary that lies on a read-only mount, by executing itself again from one if not.
 * Every container begins as a fork of this process: when its program is `/proc/self/exe` it gets this very file in its hands,
 * and only the mount keeps it from being overwritten (CVE-2019-5736; docs/decisions/0003). Called first of all, while every
 * descriptor that a program before has left open is still as it was.
 * @param binary the Node binary to run from: the original, not the mount
 * @param place  path of the file that it is mounted on
 */
export function runFromReadOnlyMount(binary: string, place: string): void {
  const wanted = statSync(binary)
  if (sameFile(statSync('/proc/self/exe'), wanted) && onReadOnlyMount('/proc/self/exe')) return
  mountReadOnly(binary, place)
  // Node marks its standard streams to be closed by execve.
  for (const fd of [0, 1, 2]) setCloseOnExec(fd, false)
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`)
  execve(place, [process.argv0, ...process.execArgv, ...process.argv.slice(1)], environment)
}

function sameFile(a: { readonly dev: number; readonly ino: number }, b: { readonly dev: number; readonly ino: number }): boolean {
  return a.dev === b.dev && a.ino === b.ino
}

/** Binds the file over `place`, in this process's mount namespace; what was mounted there is let go. */
function mountReadOnly(binary: string, place: string): void {
  unmount(place, MNT_DETACH | UMOUNT_NOFOLLOW)
  writeFileSync(place, '', { mode: 0o700 })
  const tree = openTree(AT_FDCWD, binary, OPEN_TREE_CLONE)
  try {
    mountSetattr(tree, { set: MountAttribute.RDONLY | MountAttribute.NOSUID | MountAttribute.NODEV, propagation: Propagation.PRIVATE })
    using target = openat2(AT_FDCWD, place, O_PATH, 0)
    moveMount(tree, target.fd)
  } finally {
    closeSync(tree)
  }
}

/** Whether the mount by which a path is reached is read-only: its id from proc_pid_fdinfo(5), its options from proc_pid_mountinfo(5). */
function onReadOnlyMount(path: string): boolean {
  const fd = openSync(path, 'r')
  try {
    const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    const line = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find((row) => row.startsWith(`${id} `))
    return line?.split(' ')[5]?.split(',').includes('ro') === true
  } finally {
    closeSync(fd)
  }
}
