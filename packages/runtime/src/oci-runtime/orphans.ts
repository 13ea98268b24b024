import { readFileSync, readdirSync } from 'node:fs'
import { setChildSubreaper } from '@engine/linux/process-settings'
import { processStat } from '@engine/linux/process-stat'
import { waitPid } from '@engine/linux/wait'

let adopting = 0

/**
 * While `work` is done, processes whose parents end become this one's children: a runtime's container is left to it that way. Not
 * for longer, for orphans of containers in the host's PID namespace would come too; those that do are reaped by {@link reapOrphans}.
 */
export async function adoptingOrphans<T>(work: () => Promise<T>): Promise<T> {
  if (adopting++ === 0) setChildSubreaper(true)
  try {
    return await work()
  } finally {
    if (--adopting === 0) setChildSubreaper(false)
  }
}

/** Reaps children that have ended and that nobody waits for. @param known pids that somebody waits for */
export function reapOrphans(known: ReadonlySet<number>): void {
  for (const pid of children()) {
    if (!known.has(pid) && processStat(pid)?.state === 'Z') waitPid(pid, { noHang: true })
  }
}

/** This process's children, from /proc/<pid>/task/<tid>/children; none where the kernel does not list them. */
function children(): number[] {
  try {
    return readdirSync('/proc/self/task').flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'latin1').split(' ').filter((text) => text !== '').map(Number))
  } catch {
    return []
  }
}
