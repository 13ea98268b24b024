import { closeSync } from 'node:fs'
import { openProcess } from '@engine/linux/open-process'
import type { PeerCredentials } from '@engine/linux/peer-credentials'
import { pidfdGetfd, pidfdOpen } from '@engine/linux/pidfd'
import type { AdoptRequest } from './client-types.ts'
import { readExitFile } from './exit-file.ts'
import { reopenFifos, type Fifos } from './fifos.ts'
import { keyOf, keyText } from './key.ts'
import type { SharedDescriptors } from './shared-descriptors.ts'
import type { SupervisedState } from './supervised-state.ts'

/**
 * What is there of a process whose shim died, for this one to go on with.
 * @param peer who asks: descriptors that it names are its own
 * @param left what the dead shim's keeper had; the caller's to close
 * @param undo has what was opened closed
 */
export function adoptedState(request: AdoptRequest, peer: PeerCredentials, left: SharedDescriptors, log: (message: string) => void, undo: DisposableStack): SupervisedState {
  const { pid, startTime, runDirectory, directory, cgroupsPath } = request
  const terminal = request.master !== undefined || left.master !== undefined
  const supervised = { process: { ...keyOf(request), pid, startTime, runDirectory, directory, cgroupsPath, terminal }, adopted: true, oomKillsBefore: 0 }
  // The dead shim may have got as far as this: then all is in the spool, and there is nothing more to hold.
  const recorded = readExitFile(directory)
  if (recorded?.pid === pid && recorded.startTime === startTime) return { ...supervised, status: recorded.status }
  const held = <T extends number | undefined>(fd: T): T => {
    if (fd !== undefined) undo.defer(() => closeSync(fd))
    return fd
  }
  const duplicate = (fd: number | undefined): number | undefined => (fd === undefined ? undefined : takeDescriptor(process.pid, fd))
  const master = held(request.master === undefined ? duplicate(left.master) : takeDescriptor(peer.pid, request.master))
  // By their names: what is in them is there as long as somebody has them open.
  const fifos = terminal ? undefined : reopen(request, log)
  for (const fd of Object.values(fifos ?? {})) held(fd as number)
  const pidfd = held(request.pidfd === undefined ? (openProcess({ pid, startTime }) ?? duplicate(left.pidfd)) : takeDescriptor(peer.pid, request.pidfd))
  return {
    ...supervised,
    ...(request.told === undefined ? {} : { told: request.told }),
    ...(pidfd === undefined ? {} : { pidfd }),
    ...(fifos === undefined ? {} : { fifos }),
    ...(master === undefined ? {} : { master }),
  }
}

function reopen(request: AdoptRequest, log: (message: string) => void): Fifos | undefined {
  try {
    return reopenFifos(request.runDirectory, request.stdin)
  } catch (error) {
    log(`${keyText(request)}: its output cannot be taken any more: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

/** A duplicate of a descriptor of another process. */
export function takeDescriptor(pid: number, fd: number): number {
  const owner = pidfdOpen(pid)
  try {
    return pidfdGetfd(owner, fd)
  } finally {
    closeSync(owner)
  }
}
