import { openSync } from 'node:fs'
import { EngineError, errnoText } from '@engine/linux'
import { CloneFlag } from '@engine/linux/clone-flags'
import type { Program } from '@engine/linux/program'
import type { NamespaceType, OciSpec } from '../spec.ts'

/** clone(2) flags by the runtime spec's names of namespaces. */
export const namespaceFlags: Readonly<Record<NamespaceType, number>> = {
  mount: CloneFlag.NEWNS,
  cgroup: CloneFlag.NEWCGROUP,
  uts: CloneFlag.NEWUTS,
  ipc: CloneFlag.NEWIPC,
  user: CloneFlag.NEWUSER,
  pid: CloneFlag.NEWPID,
  network: CloneFlag.NEWNET,
}

/** Whether the spec gives the container a namespace of its own of this type. */
export function hasOwn(spec: OciSpec, type: NamespaceType): boolean {
  return spec.linux.namespaces.some((namespace) => namespace.type === type && namespace.path === undefined)
}

/** Opens the namespaces that are to be joined. @throws EngineError with the path when one is gone */
export function openJoined(spec: OciSpec, held: (fd: number) => void): ReadonlyMap<NamespaceType, { readonly fd: number; readonly path: string }> {
  const joined = new Map<NamespaceType, { fd: number; path: string }>()
  for (const { type, path } of spec.linux.namespaces) {
    if (path === undefined) continue
    try {
      const fd = openSync(path, 'r')
      held(fd)
      joined.set(type, { fd, path })
    } catch (error) {
      const errno = error instanceof Error && 'errno' in error ? -Number(error.errno) : 0
      throw new EngineError('invalid-argument', `lstat ${path}: ${errnoText(errno)}`, { cause: error })
    }
  }
  return joined
}

/** Appends: join the namespaces that exist, then make the others. The PID namespace is clone's business, see create.ts. */
export function enterNamespaces(program: Program, spec: OciSpec, joined: ReadonlyMap<NamespaceType, { readonly fd: number; readonly path: string }>): void {
  for (const [type, { fd, path }] of joined) {
    if (type === 'pid') continue
    program.call('setns', [fd, namespaceFlags[type]], { args: { path, type }, failure: `error joining ${type} namespace ${path}` })
  }
  const own = (['mount', 'cgroup', 'uts', 'ipc', 'network'] as const).filter((type) => hasOwn(spec, type))
  const flags = own.reduce((bits, type) => bits | namespaceFlags[type], 0)
  program.call('unshare', [flags], { args: { flags: own.join('|') }, failure: 'unable to unshare namespaces' })
}
