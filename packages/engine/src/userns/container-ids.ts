import { readlinkSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { processIdMappings, type IdMappings } from '@engine/linux/id-mappings'
import { withFileIds } from '@engine/linux/file-ids'
import type { Container } from '../containers/container.ts'
import { hasProcess } from '../containers/state.ts'
import type { HostConfigView } from '../types/container-config.ts'
import type { Remap } from './remap.ts'

type Engine = { readonly remap: Remap | undefined }
type Modes = Pick<HostConfigView, 'UsernsMode' | 'Privileged' | 'PidMode' | 'NetworkMode'>

/** Whether a container has ids of its own on the host. */
export function isRemapped({ remap }: Engine, { UsernsMode }: Pick<HostConfigView, 'UsernsMode'>): boolean {
  return remap !== undefined && UsernsMode !== 'host'
}

/** Host's ids of a container's root. */
export function rootIds(engine: Engine, host: Pick<HostConfigView, 'UsernsMode'>): { readonly uid: number; readonly gid: number } {
  return engine.remap !== undefined && isRemapped(engine, host) ? engine.remap.root : { uid: 0, gid: 0 }
}

/** Runs synchronous work on a container's mounted root as its root: its file system has no place for files of the host's. */
export function asContainerRoot<T>(engine: Engine, host: Pick<HostConfigView, 'UsernsMode'>, work: () => T): T {
  return isRemapped(engine, host) ? withFileIds(rootIds(engine, host), work) : work()
}

/**
 * What the ids of a container's files and processes are on the host; undefined when they are the same. Of one that runs the kernel
 * knows: the daemon may have been given other ranges since its start.
 */
export function containerMappings(engine: Engine, { state, record }: Container): IdMappings | undefined {
  const configured = isRemapped(engine, record.hostConfig) ? engine.remap?.mappings : undefined
  if (!hasProcess(state)) return configured
  try {
    return mappingsOfProcess(state.pid)
  } catch (error) {
    // It has ended in this moment.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return configured
    throw error
  }
}

/** @returns undefined for a process in this one's user namespace */
export function mappingsOfProcess(pid: number): IdMappings | undefined {
  return readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user') ? undefined : processIdMappings(pid)
}

/**
 * What cannot go together with a user namespace of the container's own (moby, daemon/daemon_unix.go, verifyPlatformContainerSettings).
 * @throws EngineError invalid-argument in Docker's words
 */
export function checkRemap(engine: Engine, host: Modes): void {
  if (!isRemapped(engine, host)) return
  const refused = (message: string): EngineError => new EngineError('invalid-argument', message, { hint: 'give it the host’s user namespace: --userns host' })
  if (host.Privileged) throw refused('privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode')
  if (host.NetworkMode === 'host') throw refused("cannot share the host's network namespace when user namespaces are enabled")
  if (host.PidMode === 'host') throw refused('cannot share the host PID namespace when user namespaces are enabled')
}
