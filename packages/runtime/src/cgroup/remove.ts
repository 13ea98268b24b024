import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { removeGroup, writeControlIfThere } from './control-file.ts'
import { request } from './freezer.ts'
import { cgroupLayout, refuseUnlessGroupPath } from './hierarchy.ts'
import { groupsIn, pidsIn } from './pids.ts'

/** How long processes may take to be gone after SIGKILL: one in an uninterruptible wait, or a large address space to free. */
const patience = 10_000

/**
 * Kills what is left in a container's cgroup, and removes it and what was made below it from every hierarchy. It may be half or all gone.
 * @throws EngineError unavailable when processes do not go in 10 s; call it again later
 */
export async function removeCgroup(path: string): Promise<void> {
  refuseUnlessGroupPath(path)
  const deadline = performance.now() + patience
  let left = cgroupLayout().directories(path).filter((directory) => !removeTree(directory))
  for (let wait = 1; left.length > 0; wait = Math.min(wait * 2, 100)) {
    if (performance.now() > deadline) {
      throw new EngineError('unavailable', `unable to remove cgroup ${path}: processes ${left.flatMap(pidsIn).join(', ') || 'unknown'} are still in it`)
    }
    killCgroup(path)
    await sleep(wait)
    left = left.filter((directory) => !removeTree(directory))
  }
}

/**
 * Kills every process in a cgroup and in those below it. Does not wait for them to end. Nothing happens when it is gone.
 * v2 (Linux 5.14): cgroup.kill, which no fork escapes. Else they are frozen first, so that none forks between the listing and the signal.
 */
export function killCgroup(path: string): void {
  refuseUnlessGroupPath(path)
  const layout = cgroupLayout()
  const unified = layout.hierarchies.find(({ version }) => version === 2)
  if (unified !== undefined && layout.version === 2 && writeControlIfThere(`${unified.mountpoint}${path}/cgroup.kill`, '1')) return
  const freezer = layout.place('freezer', path)
  if (freezer !== undefined) unlessGone(() => request(freezer, true))
  try {
    // A process may sit in some hierarchies only: one that died half-way through joining.
    for (const pid of new Set(layout.directories(path).flatMap(pidsIn))) kill(pid)
  } finally {
    // v1: a frozen process takes its SIGKILL only once thawed, and so are all cgroups above and including its own.
    if (freezer !== undefined) for (const directory of groupsIn(freezer.directory)) unlessGone(() => request({ ...freezer, directory }, false))
  }
}

function unlessGone(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENODEV)) throw error
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Removes a cgroup and those below it. @returns false when processes are in the way */
function removeTree(directory: string): boolean {
  // Mostly there is nothing below, and one rmdir does it.
  if (removeGroup(directory)) return true
  return groupsIn(directory).every((group) => removeGroup(group))
}
