import { closeSync, openSync, readlinkSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { EngineError } from '@engine/linux'
import type { IdMappings } from '@engine/linux/id-mappings'
import { makeNamespaces } from '@engine/linux/user-namespace'
import type { Container } from '../containers/container.ts'
import type { JoinedNamespaces } from '../containers/joined-namespaces.ts'
import { isRemapped, mappingsOfProcess } from './container-ids.ts'
import type { Remap } from './remap.ts'

/** What a start gets of namespaces before there is a process; they last for as long as that or a sandbox has them. */
export interface StartNamespaces extends Disposable {
  /** None for a container in the host's. */
  readonly user: { readonly path: string; readonly mappings: IdMappings } | undefined
  /** A network namespace that belongs to the user namespace, whose root may then do there what roots do; undefined when it need not. */
  readonly network: number | undefined
}

const none: StartNamespaces = { user: undefined, network: undefined, [Symbol.dispose]: () => undefined }

/**
 * Makes a container's user namespace, and its network namespace with it. A container that shares namespaces of another one shares its
 * user namespace too: they belong to that.
 * @throws EngineError conflict when what it shares belongs to others
 */
export function startNamespaces(engine: { readonly remap: Remap | undefined }, container: Container, joined: JoinedNamespaces): StartNamespaces {
  const { remap } = engine
  if (remap === undefined || !isRemapped(engine, container.record.hostConfig)) return none
  const network = joined.network === undefined
  const [donor, ...others] = joined.donors
  if (donor === undefined) {
    const made = makeNamespaces(remap.mappings, network)
    return { user: { path: ownPath(made.user.fd), mappings: made.mappings }, network: made.network?.fd, [Symbol.dispose]: () => made[Symbol.dispose]() }
  }
  const path = userNamespace(donor)
  const mappings = mappingsOfProcess(donor.state.pid)
  if (mappings === undefined) {
    throw new EngineError('conflict', `container ${donor.name} has the host's user namespace, and its namespaces belong to that`, { hint: 'start this one with --userns host too' })
  }
  if (!isDeepStrictEqual(mappings, remap.mappings)) throw new EngineError('conflict', `container ${donor.name} runs with other ids than the daemon's configuration has now`, { hint: 'restart it' })
  if (others.some((other) => readlinkSync(userNamespace(other)) !== readlinkSync(path))) throw new EngineError('conflict', 'the containers whose namespaces are to be shared have different user namespaces')
  if (!network) return { user: { path, mappings }, network: undefined, [Symbol.dispose]: () => undefined }
  const fd = openSync(path, 'r')
  try {
    const made = makeNamespaces({ fd }, true)
    return { user: { path, mappings }, network: made.network?.fd, [Symbol.dispose]: () => made[Symbol.dispose]() }
  } finally {
    closeSync(fd)
  }
}

function userNamespace({ state }: Container): string {
  return `/proc/${state.pid}/ns/user`
}

/**
 * How the shim, and a runtime that it runs, come by a descriptor of this process. What runc 1.1.10 to 1.1.15 find at the beginning of
 * a user namespace's path, `/proc/PID/`, they take for a process in that namespace, and compare its maps (libcontainer/userns).
 */
function ownPath(fd: number): string {
  return `/./proc/${process.pid}/fd/${fd}`
}
