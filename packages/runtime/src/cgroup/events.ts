import { parseFlat, readControl } from './control-file.ts'
import { cgroupLayout } from './hierarchy.ts'

/**
 * How many processes the kernel killed in a cgroup for want of memory. Read it after the exit and before the cgroup is removed:
 * an exit status of 137 alone says nothing (`exit 137` fakes it), nor does `failcnt`, which stays 0 when memsw is the limit.
 * On v2 cgroups below count as well; on v1 the kernel counts each by itself.
 */
export function oomKills(path: string): number {
  const place = cgroupLayout().place('memory', path)
  if (place === undefined) return 0
  return parseFlat(readControl(`${place.directory}/${place.version === 1 ? 'memory.oom_control' : 'memory.events'}`)).get('oom_kill') ?? 0
}
