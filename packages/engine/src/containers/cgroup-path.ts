import type { EngineOptions } from '../interface.ts'
import type { Container } from './container.ts'

/** Where a container's cgroup is below each hierarchy's root: `/engine/<id>`, or below the parent it was given. */
export function cgroupPath(options: Pick<EngineOptions, 'cgroupParent'>, container: Pick<Container, 'id' | 'record'>): string {
  const parent = container.record.hostConfig.CgroupParent || options.cgroupParent
  return `/${parent.split('/').filter((part) => part !== '').join('/')}/${container.id}`
}
