import { normalize } from 'node:path/posix'
import type { EngineOptions } from '../interface.ts'
import type { Container } from './container.ts'

/** A cgroup's path with a slash before it and none behind, however it was given. As with runc `..` leads no higher than the hierarchy's root. */
export function cgroupParent(given: string): string {
  return normalize(`/${given}`).replace(/\/$/, '')
}

/** Where a container's cgroup is below each hierarchy's root: `/engine/<id>`, or below the parent it was given. */
export function cgroupPath(options: Pick<EngineOptions, 'cgroupParent'>, container: Pick<Container, 'id' | 'record'>): string {
  return `${cgroupParent(container.record.hostConfig.CgroupParent || options.cgroupParent)}/${container.id}`
}
