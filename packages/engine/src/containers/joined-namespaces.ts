import { statSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { isContainerMode } from './host-config-check.ts'
import type { Container } from './container.ts'
import { hasProcess } from './state.ts'

/** What a container takes of other, running ones. */
export interface JoinedNamespaces {
  readonly pid?: string
  readonly ipc?: string
  /** The donor's tmpfs for /dev/shm. */
  readonly shmPath?: string
  /** Whose network it shares. */
  readonly network?: { readonly donor: Container; readonly path: string }
  /** Of whom all that is. */
  readonly donors: readonly Container[]
}

/** Finds the namespaces of PidMode, IpcMode and NetworkMode `container:…`. @throws EngineError in Docker's words */
export function joinedNamespaces(engine: EngineContext, container: Container): JoinedNamespaces {
  const { PidMode, IpcMode, NetworkMode } = container.record.hostConfig
  const pid = isContainerMode(PidMode) ? namespaceOf(engine, container, PidMode, 'PID', 'pid') : undefined
  const ipc = isContainerMode(IpcMode) ? namespaceOf(engine, container, IpcMode, 'IPC', 'ipc') : undefined
  const network = isContainerMode(NetworkMode) ? namespaceOf(engine, container, NetworkMode, 'network', 'net') : undefined
  return {
    ...(pid === undefined ? {} : { pid: pid.path }),
    ...(ipc === undefined ? {} : { ipc: ipc.path, shmPath: sharedMemory(engine, ipc.donor) }),
    ...(network === undefined ? {} : { network }),
    donors: [pid, ipc, network].flatMap((joined) => (joined === undefined ? [] : [joined.donor])),
  }
}

function namespaceOf(engine: EngineContext, container: Container, mode: string, what: 'PID' | 'IPC' | 'network', file: string): { readonly donor: Container; readonly path: string } {
  const ref = mode.slice('container:'.length)
  let donor: Container
  try {
    donor = engine.containers.find(ref)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new EngineError('internal', what === 'network' ? `joining network namespace of container: ${message}` : `failed to join ${what} namespace: ${message}`, { cause })
  }
  if (donor === container && what === 'network') throw new EngineError('invalid-argument', 'cannot join own network namespace')
  if (donor.state.status === 'restarting') throw new EngineError('conflict', `container ${donor.id} is restarting, wait until the container is running`)
  if (hasProcess(donor.state)) return { donor, path: `/proc/${donor.state.pid}/ns/${file}` }
  if (what === 'network') throw new EngineError('conflict', `cannot join network namespace of a non running container: container ${donor.name} is ${donor.state.status}`)
  throw new EngineError('internal', `failed to join ${what} namespace: container ${donor.id} is not running`)
}

function sharedMemory(engine: EngineContext, donor: Container): string {
  if (donor.record.hostConfig.IpcMode === 'host') return '/dev/shm'
  const { shm } = engine.paths.container(donor.id)
  if (statSync(shm, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new EngineError('invalid-argument', `failed to join IPC namespace: container ${donor.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`)
  }
  return shm
}
