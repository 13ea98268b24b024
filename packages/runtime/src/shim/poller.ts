import { closeSync, readSync, writeSync } from 'node:fs'
import { Epoll, epollAdd, epollCreate, epollDelete, EpollEvents, epollModify, epollPoll, epollWait } from '@engine/linux/epoll'
import { eventfdCreate } from '@engine/linux/eventfd'

/** What a descriptor was watched for and is ready for, bits of Epoll. */
export type ReadyHandler = (events: number) => void

/** One watched descriptor. Stop it before the descriptor is closed. */
export interface Watch {
  /** Watches for other events; 0 leaves ERR and HUP. */
  modify(events: number): void
  stop(): void
}

const EVENTS_PER_ROUND = 64
/** Rounds before libuv (the socket to engined, timers) has its turn. */
const ROUNDS_PER_TURN = 8

/**
 * Readiness for descriptors that Node has no handle for: FIFOs to splice from, pidfds, terminals.
 *
 * One epoll_wait is in flight in a thread of libuv's pool while nothing is ready, so an idle shim makes no call at all. While
 * something is ready it asks without waiting, and gives libuv a turn in between.
 */
export class Poller {
  readonly #epoll = epollCreate()
  readonly #wake = eventfdCreate()
  readonly #events = new EpollEvents(EVENTS_PER_ROUND)
  readonly #handlers = new Map<number, ReadyHandler>()
  readonly #onError: (error: unknown) => void
  #token = 0
  #closed = false

  /** @param onError gets what a handler throws; the loop goes on */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
    epollAdd(this.#epoll, this.#wake, Epoll.IN, 0)
    this.#arm()
  }

  /** Calls `handler` again and again while `fd` is ready (level-triggered), on this thread. */
  watch(fd: number, events: number, handler: ReadyHandler): Watch {
    // A token of its own for each watch: an event already fetched for a descriptor number that was closed and given out again is not taken for the new one's.
    this.#token = (this.#token % 0xffff_fffe) + 1
    const token = this.#token
    epollAdd(this.#epoll, fd, events, token)
    this.#handlers.set(token, handler)
    return {
      modify: (changed) => epollModify(this.#epoll, fd, changed, token),
      stop: () => {
        if (this.#handlers.delete(token)) epollDelete(this.#epoll, fd)
      },
    }
  }

  /** Ends the wait in flight and the loop. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers.clear()
    const one = Buffer.alloc(8)
    one.writeBigUInt64LE(1n)
    writeSync(this.#wake, one)
  }

  #arm(): void {
    epollWait(this.#epoll, this.#events, (count) => {
      this.#dispatch(count)
      this.#turn()
    })
  }

  readonly #turn = (): void => {
    for (let round = 0; round < ROUNDS_PER_TURN && !this.#closed; round++) {
      const count = epollPoll(this.#epoll, this.#events)
      if (count === 0) {
        this.#arm()
        return
      }
      this.#dispatch(count)
    }
    if (!this.#closed) {
      setImmediate(this.#turn)
      return
    }
    readSync(this.#wake, Buffer.alloc(8))
    closeSync(this.#epoll)
    closeSync(this.#wake)
  }

  #dispatch(count: number): void {
    for (let index = 0; index < count; index++) {
      try {
        this.#handlers.get(this.#events.token(index))?.(this.#events.events(index))
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
