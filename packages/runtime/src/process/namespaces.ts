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

/** A namespace that exists: its descriptor, and what it was opened by. */
export interface JoinedNamespace {
  readonly fd: number
  readonly path: string
}

/** Opens the namespaces that are to be joined. @throws EngineError with the path when one is gone */
export function openJoined(spec: OciSpec, held: (fd: number) => void): ReadonlyMap<NamespaceType, JoinedNamespace> {
  const joined = new Map<NamespaceType, JoinedNamespace>()
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

/** Appends: join a namespace that exists. */
export function joinNamespace(program: Program, type: NamespaceType, { fd, path }: JoinedNamespace): void {
  program.call('setns', [fd, namespaceFlags[type]], { args: { path, type }, failure: `error joining ${type} namespace ${path}` })
}

/** Appends: join the namespaces that exist, but for those of users and of PIDs, see user-namespace.ts and create.ts. */
export function joinNamespaces(program: Program, joined: ReadonlyMap<NamespaceType, JoinedNamespace>): void {
  for (const [type, namespace] of joined) if (type !== 'pid' && type !== 'user') joinNamespace(program, type, namespace)
}

/** Appends: make namespaces of its own, but for those of users and of PIDs. */
export function makeOwnNamespaces(program: Program, spec: OciSpec): void {
  const own = (['mount', 'cgroup', 'uts', 'ipc', 'network'] as const).filter((type) => hasOwn(spec, type))
  const flags = own.reduce((bits, type) => bits | namespaceFlags[type], 0)
  program.call('unshare', [flags], { args: { flags: own.join('|') }, failure: 'unable to unshare namespaces' })
}
