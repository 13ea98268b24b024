import { readFileSync } from 'node:fs'
import type { TestDaemon } from '../harness/daemon.ts'

/** What a daemon takes while something runs. */
export interface Resources {
  /** MiB: resident, and resident with a fair part of what it shares (smaps_rollup, proc_pid_smaps(5)). The most that was seen. */
  rss: number
  pss: number
  /** Seconds of processor time of all its threads, in user space and in the kernel. */
  user: number
  system: number
}

/** Begins to watch a daemon's process; stopping tells what it took from then on. */
export function watchResources(daemon: TestDaemon): { stop(): Resources } {
  const pid = daemon.pid()
  const before = processorTime(pid)
  let rss = 0
  let pss = 0
  const watches = [
    setInterval(() => (rss = Math.max(rss, field(`/proc/${pid}/status`, 'VmRSS'))), 50),
    // The kernel walks all of its pages for it.
    setInterval(() => (pss = Math.max(pss, field(`/proc/${pid}/smaps_rollup`, 'Pss'))), 300),
  ]
  return {
    stop() {
      for (const watch of watches) clearInterval(watch)
      const after = processorTime(pid)
      return { rss, pss, user: after.user - before.user, system: after.system - before.system }
    },
  }
}

function field(file: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? 0) / 1024
}

/** Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second. */
function processorTime(pid: number): { user: number; system: number } {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
  const fields = rest.split(' ')
  return { user: Number(fields[11]) / 100, system: Number(fields[12]) / 100 }
}
