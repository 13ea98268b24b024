import { closeSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { Epoll } from '@engine/linux/epoll'
import { O_CLOEXEC, O_PATH } from '@engine/linux/openat2'
import { messageSocketPair, sendDescriptors } from '@engine/linux/pass-descriptors'
import { pidfdSendSignal } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import { reapEnding } from '@engine/linux/wait'
import { encodeOrder, forkKeeper, keptAt, keptNames } from './keeper-program.ts'
import type { Poller, Watch } from './poller.ts'
import { descriptorNames, type DescriptorName, type SharedDescriptors } from './shared-descriptors.ts'

/** Before another is made in place of one that has ended. */
const AGAIN_MILLISECONDS = 200
/** How long a keeper may leave orders lying before it is taken for stopped, and another is made, in milliseconds. */
const STOPPED_MILLISECONDS = 100
const FULL_MILLISECONDS = 1

export interface KeeperOptions {
  /** Gets the keeper's pid and start time, for a successor of this shim to find it; see legacy.ts. */
  readonly file: string
  readonly poller: Poller
  /** What is to be kept, by run directory: asked when a keeper has to be made anew. */
  readonly everything: () => Iterable<readonly [string, SharedDescriptors]>
  readonly log: (message: string) => void
}

interface Running {
  readonly pidfd: number
  readonly socket: number
  readonly watch: Watch
}

interface Row {
  readonly number: number
  readonly names: Set<DescriptorName>
}

/**
 * The process engine-keeper, as the shim sees it: it holds duplicates of what the shim holds of its processes, so that these outlive
 * the shim and engined both. It costs no memory to speak of, and does nothing else: the next shim takes what it has.
 *
 * There is none before there is something to keep. One that dies is replaced; what it had the shim has.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #rows = new Map<string, Row>()
  readonly #free: number[] = []
  #running: Running | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Makes it, if there is something to keep already. */
  begin(): void {
    this.#begin(...this.#options.everything())
  }

  /** Has descriptors of a process kept, in place of what was kept of it before. @param runDirectory says whose they are */
  hold(runDirectory: string, descriptors: SharedDescriptors): void {
    if (this.#closed) return
    if (this.#running === undefined) {
      this.#begin(...this.#options.everything(), [runDirectory, descriptors])
      return
    }
    this.#hold(runDirectory, descriptors)
  }

  #hold(runDirectory: string, descriptors: SharedDescriptors): void {
    this.release(runDirectory)
    const names = descriptorNames.filter((name) => descriptors[name] !== undefined)
    if (names.length === 0) return
    const number = this.#free.pop() ?? this.#rows.size
    this.#rows.set(runDirectory, { number, names: new Set(names) })
    let directory: number
    try {
      directory = openSync(runDirectory, O_PATH | O_CLOEXEC)
    } catch (error) {
      this.#options.log(`${runDirectory}: not kept: ${error instanceof Error ? error.message : String(error)}`)
      this.#forget(runDirectory)
      return
    }
    try {
      const to = ['directory' as const, ...names].map((name) => keptAt(number, keptNames.indexOf(name)))
      this.#send({ to }, [directory, ...names.map((name) => descriptors[name] as number)])
    } finally {
      closeSync(directory)
    }
  }

  /** Has some of a process's descriptors closed: those from one name to another, in the order of `descriptorNames`. */
  drop(runDirectory: string, first: DescriptorName, last = first): void {
    const row = this.#rows.get(runDirectory)
    if (row === undefined) return
    const dropped = descriptorNames.slice(descriptorNames.indexOf(first), descriptorNames.indexOf(last) + 1).filter((name) => row.names.delete(name))
    if (row.names.size === 0) this.release(runDirectory)
    else if (dropped.length > 0) this.#send({ to: [], close: [keptAt(row.number, keptNames.indexOf(first)), keptAt(row.number, keptNames.indexOf(last))] })
  }

  /** Has all of a process's descriptors closed. */
  release(runDirectory: string): void {
    const row = this.#rows.get(runDirectory)
    if (row === undefined) return
    this.#forget(runDirectory)
    this.#send({ to: [], close: [keptAt(row.number, 0), keptAt(row.number, keptNames.length - 1)] })
  }

  #forget(runDirectory: string): void {
    const row = this.#rows.get(runDirectory)
    if (row !== undefined) this.#free.push(row.number)
    this.#rows.delete(runDirectory)
  }

  /** Lets the keeper be, for a successor. Nothing is kept from now on. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#leave()
  }

  #leave(): Running | undefined {
    const running = this.#running
    this.#running = undefined
    this.#rows.clear()
    this.#free.length = 0
    if (running === undefined) return undefined
    running.watch.stop()
    closeSync(running.socket)
    return running
  }

  #begin(...added: readonly (readonly [string, SharedDescriptors])[]): void {
    if (this.#running !== undefined || this.#closed || added.length === 0) return
    const { file, poller } = this.#options
    try {
      const [ours, theirs] = messageSocketPair()
      let child: { readonly pid: number; readonly pidfd: number }
      try {
        child = forkKeeper(theirs)
      } catch (error) {
        closeSync(ours)
        throw error
      } finally {
        closeSync(theirs)
      }
      const { pid, pidfd } = child
      this.#running = { pidfd, socket: ours, watch: poller.watch(pidfd, Epoll.IN, () => this.#again('it has ended')) }
      // As a whole: a shim that dies here leaves the one or the other.
      writeFileSync(`${file}.new`, `${pid} ${processStat(pid)?.startTime ?? ''}\n`, { mode: 0o600 })
      renameSync(`${file}.new`, file)
    } catch (error) {
      // Nothing is kept; as it would be if all three had died.
      this.#options.log(`no keeper: ${error instanceof Error ? error.message : String(error)}`)
      return
    }
    for (const [runDirectory, descriptors] of new Map(added)) this.#hold(runDirectory, descriptors)
  }

  /** Another keeper in place of one that is of no use. */
  #again(why: string): void {
    const before = this.#leave()
    if (before === undefined) return
    this.#options.log(`another keeper is made: ${why}`)
    end(before.pidfd)
    this.#timer = setTimeout(() => this.begin(), AGAIN_MILLISECONDS)
  }

  #send(order: { readonly to: readonly number[]; readonly close?: readonly [number, number] }, descriptors: readonly number[] = []): void {
    const running = this.#running
    if (running === undefined) return
    const message = encodeOrder({ ...order, idle: this.#rows.size === 0 })
    try {
      for (let waited = 0; waited < STOPPED_MILLISECONDS; waited += FULL_MILLISECONDS) {
        if (sendDescriptors(running.socket, message, descriptors)) return
        pause(FULL_MILLISECONDS)
      }
      this.#again('it takes no orders')
    } catch {
      // EPIPE: it has ended, which the watch tells.
    }
  }
}

/** Kills a keeper and closes its pidfd; reaps it if it is a child. */
export function end(pidfd: number): void {
  try {
    pidfdSendSignal(pidfd, 9)
    reapEnding(pidfd)
  } catch (error) {
    // ESRCH: it has ended by itself; ECHILD: it is somebody else's child.
    if (!failedWith(error, Errno.ESRCH, Errno.ECHILD)) throw error
  } finally {
    closeSync(pidfd)
  }
}

const never = new Int32Array(new SharedArrayBuffer(4))

function pause(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds)
}
