import { cgroupLayout } from './hierarchy.ts'

/**
 * The files into each of which a process writes `0` to move itself into a cgroup. Open or write them before the cgroup namespace is
 * unshared, so that its root is the container's cgroup, and while the host's paths can still be seen.
 * On v1 it is `tasks`, which moves the one thread that writes: 0.4 ms for nine hierarchies, where `cgroup.procs` costs 5 to 16 ms
 * (it waits for a grace period). Only right for a process with a single thread.
 */
export function joinTargets(path: string): string[] {
  return cgroupLayout().hierarchies.map(({ version, mountpoint }) => `${mountpoint}${path}/${version === 1 ? 'tasks' : 'cgroup.procs'}`)
}
