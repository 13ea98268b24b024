import { closeSync } from 'node:fs'
import { openProcess } from '@engine/linux/open-process'
import type { PeerCredentials } from '@engine/linux/peer-credentials'
import { pidfdGetfd, pidfdOpen } from '@engine/linux/pidfd'
import type { AdoptRequest } from './client-types.ts'
import { readExitFile } from './exit-file.ts'
import { reopenFifos, type Fifos } from './fifos.ts'
import { keyOf, keyText } from './key.ts'
import type { SupervisedState } from './supervised-state.ts'

/**
 * What is there of a process whose shim died, for this one to go on with.
 * @param peer who asks: descriptors that it names are its own
 * @param undo has what was opened closed
 */
export function adoptedState(request: AdoptRequest, peer: PeerCredentials, log: (message: string) => void, undo: DisposableStack): SupervisedState {
  const { pid, startTime, runDirectory, directory, cgroupsPath } = request
  const supervised = { process: { ...keyOf(request), pid, startTime, runDirectory, directory, cgroupsPath, terminal: request.master !== undefined }, adopted: true, oomKillsBefore: 0 }
  // The dead shim may have got as far as this: then all is in the spool, and there is nothing more to hold.
  const recorded = readExitFile(directory)
  if (recorded?.pid === pid && recorded.startTime === startTime) return { ...supervised, status: recorded.status }
  const held = <T extends number | undefined>(fd: T): T => {
    if (fd !== undefined) undo.defer(() => closeSync(fd))
    return fd
  }
  const master = request.master === undefined ? undefined : held(takeDescriptor(peer.pid, request.master))
  const fifos = request.master === undefined ? reopen(request, log) : undefined
  for (const fd of Object.values(fifos ?? {})) held(fd as number)
  const pidfd = held(request.pidfd === undefined ? openProcess({ pid, startTime }) : takeDescriptor(peer.pid, request.pidfd))
  return {
    ...supervised,
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
