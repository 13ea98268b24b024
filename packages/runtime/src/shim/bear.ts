import { closeSync, readFileSync } from 'node:fs'
import { Epoll } from '@engine/linux/epoll'
import type { Birth, BirthOutcome, Filter, Stdio } from '../process/birth.ts'
import { BirthError } from './client-types.ts'
import { makeFifos, removeFifos, type Fifos } from './fifos.ts'
import type { ActionRecord, ExecRequest, StartRequest } from './messages.ts'
import type { Poller } from './poller.ts'

/** Where a process comes to be, and who may open its streams. */
export interface BirthPlace {
  readonly cgroupsPath: string
  /** The host uid of the process's user. */
  readonly owner: number
  /** Cells of its terminal; absent without one. */
  readonly terminal: { readonly height: number; readonly width: number } | undefined
}

/** Begins a birth with these streams. */
export type Begin = (stdio: Stdio, filter: Filter | undefined) => Birth

/** A process that has executed, and the shim's ends of its streams. */
export interface Born {
  readonly pid: number
  readonly pidfd: number
  readonly fifos: Fifos | undefined
  readonly master: number | undefined
  readonly records: readonly ActionRecord[]
}

/**
 * Has a process made: its streams, then its birth, to the end of that.
 * @param undo has what is held of it closed; all but the pidfd
 * @throws BirthError when it was not born
 */
export async function bear(request: StartRequest | ExecRequest, { owner, terminal }: BirthPlace, begin: Begin, poller: Poller, undo: DisposableStack): Promise<Born> {
  const filter = request.seccompFilter === undefined ? undefined : { program: readFileSync(request.seccompFilter), flags: request.seccompFlags ?? 0 }
  let fifos: Fifos | undefined
  let stdio: Stdio
  // The process's ends are closed when the birth is over: before, their closing could look like the end of the output.
  using theirs = new DisposableStack()
  if (terminal === undefined) {
    const made = makeFifos(request.runDirectory, owner, request.stdin)
    stdio = made.theirs
    fifos = made.ours
    for (const fd of Object.values(made.theirs)) theirs.defer(() => closeSync(fd))
    for (const fd of Object.values(made.ours)) undo.defer(() => closeSync(fd as number))
    undo.defer(() => removeFifos(request.runDirectory))
  } else {
    stdio = { terminal: { rows: terminal.height, columns: terminal.width } }
  }
  const birth = begin(stdio, filter)
  if (birth.master !== undefined) {
    const { master } = birth
    undo.defer(() => closeSync(master))
  }
  const outcome = await over(birth, poller)
  if (!outcome.born) {
    throw new BirthError(outcome.failure.message, { errno: outcome.failure.errno, step: outcome.failure.step, records: outcome.records })
  }
  const { pid, pidfd, records } = outcome
  if (outcome.master !== undefined) undo.defer(() => closeSync(outcome.master as number))
  return { pid, pidfd, fifos, master: birth.master ?? outcome.master, records }
}

/** Waits until the child has executed or died. */
function over(birth: Birth, poller: Poller): Promise<BirthOutcome> {
  return new Promise((resolve, reject) => {
    const watch = poller.watch(birth.ready, Epoll.IN, () => {
      watch.stop()
      try {
        resolve(birth.finish())
      } catch (error) {
        reject(error)
      }
    })
  })
}
