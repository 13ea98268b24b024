import type { OciMount, OciProcess, OciSpec } from '@engine/runtime'
import type { Change } from './birth.ts'

/** Changes of a test container's runtime spec, to be given to a birth. */
export const processWith = (changes: Partial<OciProcess>): Change<OciSpec> => (spec) => ({ ...spec, process: { ...spec.process, ...changes } })
export const without = (...types: readonly string[]): Change<OciSpec> => (spec) => ({ ...spec, linux: { ...spec.linux, namespaces: spec.linux.namespaces.filter(({ type }) => !types.includes(type)) } })
export const mounting = (...mounts: readonly OciMount[]): Change<OciSpec> => (spec) => ({ ...spec, mounts: [...spec.mounts, ...mounts] })
export const bind = (source: string, destination: string, ...options: readonly string[]): OciMount => ({ type: 'bind', source, destination, options: ['rbind', ...options] })
