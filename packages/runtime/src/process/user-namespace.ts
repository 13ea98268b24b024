import { readlinkSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { withFileIds } from '@engine/linux/file-ids'
import { processIdMappings, toHostId, type IdMapping, type IdMappings } from '@engine/linux/id-mappings'
import type { Program } from '@engine/linux/program'
import { makeNamespaces } from '@engine/linux/user-namespace'
import type { OciSpec } from '../spec.ts'
import { setUndumpable } from './detach.ts'
import { hasOwn, joinNamespace, type JoinedNamespace, namespaceFlags } from './namespaces.ts'

/** The user namespace that a process is to be in, other than this process's own. */
export interface UserNamespace extends JoinedNamespace {
  readonly mappings: IdMappings
}

/**
 * Makes the spec's user namespace, or takes the one that it names.
 * @param joined what `openJoined` has opened
 * @returns undefined for a container in the host's
 * @throws EngineError when no user namespace can be made, or its mappings leave out root
 */
export function openUserNamespace(spec: OciSpec, joined: ReadonlyMap<string, JoinedNamespace>, hold: (fd: number) => void): UserNamespace | undefined {
  const given = joined.get('user')
  if (given !== undefined) {
    if (readlinkSync(`/proc/self/fd/${given.fd}`) === readlinkSync('/proc/self/ns/user')) return undefined
    using held = makeNamespaces(given, false)
    return withRoot({ ...given, mappings: held.mappings })
  }
  if (!hasOwn(spec, 'user')) return undefined
  using made = makeNamespaces({ uids: spec.linux.uidMappings ?? [], gids: spec.linux.gidMappings ?? [] }, false)
  const fd = made.user.release()
  hold(fd)
  return withRoot({ fd, path: 'a new user namespace', mappings: made.mappings })
}

/** Root is who sets the container up. */
function withRoot(user: UserNamespace): UserNamespace {
  hostIds(user.mappings)
  return user
}

/** Host ids of a user of the namespace, root if none is named. @throws EngineError invalid-argument when it has none */
export function hostIds(mappings: IdMappings, { uid, gid }: { readonly uid: number; readonly gid: number } = { uid: 0, gid: 0 }): { readonly uid: number; readonly gid: number } {
  return { uid: hostId(mappings.uids, uid, 'uid'), gid: hostId(mappings.gids, gid, 'gid') }
}

function hostId(mappings: readonly IdMapping[], id: number, what: string): number {
  const mapped = toHostId(mappings, id)
  if (mapped === undefined) throw new EngineError('invalid-argument', `container ${what} ${id} cannot be mapped to a host ID`)
  return mapped
}

/** Runs work in this process on the container's files so that what it makes belongs to the container's root. */
export function asContainerRoot<T>(user: UserNamespace | undefined, work: () => T): T {
  return user === undefined ? work() : withFileIds(hostIds(user.mappings), work)
}

/** The mappings of the user namespace that a running container is in; undefined when that is this process's own. */
export function joinedMappings(pid: number): IdMappings | undefined {
  return readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user') ? undefined : processIdMappings(pid)
}

/**
 * Appends: become root of the user namespace. From here on the child has no right that the host's root has; whatever takes one
 * comes before. Namespaces that exist must have been joined: they may be the host's. Those that are made afterwards belong to the user namespace.
 */
export function enterUserNamespace(program: Program, user: UserNamespace): void {
  joinNamespace(program, 'user', user)
  // Without these it would be nobody, and what it made would be nobody's.
  program.call('setgroups', [0, 0], { args: { groups: '' }, failure: 'setgroups' })
  program.call('setresgid', [0, 0, 0], { args: { gid: 0 }, failure: 'setgid' })
  program.call('setresuid', [0, 0, 0], { args: { uid: 0 }, failure: 'setuid' })
  setUndumpable(program)
}

/** Appends: make a PID namespace for the children; clone makes it only for a container in the host's user namespace. */
export function makePidNamespace(program: Program): void {
  program.call('unshare', [namespaceFlags.pid], { args: { flags: 'pid' }, failure: 'unable to unshare namespaces' })
}
