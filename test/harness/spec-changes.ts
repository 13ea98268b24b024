import type { OciMount, OciProcess, OciSpec } from '@engine/runtime'
import type { Change } from './birth.ts'

/** Changes of a test container's runtime spec, to be given to a birth. */
export const processWith = (changes: Partial<OciProcess>): Change<OciSpec> => (spec) => ({ ...spec, process: { ...spec.process, ...changes } })
export const without = (...types: readonly string[]): Change<OciSpec> => (spec) => ({ ...spec, linux: { ...spec.linux, namespaces: spec.linux.namespaces.filter(({ type }) => !types.includes(type)) } })
export const mounting = (...mounts: readonly OciMount[]): Change<OciSpec> => (spec) => ({ ...spec, mounts: [...spec.mounts, ...mounts] })
export const bind = (source: string, destination: string, ...options: readonly string[]): OciMount => ({ type: 'bind', source, destination, options: ['rbind', ...options] })

/** In a user namespace of its own, whose root is 100000 of the host's users and 200000 of its groups. */
export function remapped(spec: OciSpec): OciSpec {
  const uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const gidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }]
  return { ...spec, linux: { ...spec.linux, uidMappings, gidMappings, namespaces: [{ type: 'user' }, ...spec.linux.namespaces] } }
}
