import { Descriptor } from '@engine/linux/descriptor'
import { epollAdd, epollBlock, epollCreate, epollDelete, EpollEvents, epollModify } from '@engine/linux/epoll'

/** What is done when a descriptor is ready. @param events bits of Epoll */
export type Ready = (events: number) => void

/** Descriptors that one thread waits for. */
export class Poller {
  readonly #epoll = new Descriptor(epollCreate())
  readonly #events = new EpollEvents(64)
  readonly #watched = new Map<number, { events: number; ready: Ready }>()

  /** Watches a descriptor from now on, or for something else than before. */
  watch(fd: number, events: number, ready: Ready): void {
    const known = this.#watched.get(fd)
    if (known === undefined) epollAdd(this.#epoll.fd, fd, events, fd)
    else if (known.events !== events) epollModify(this.#epoll.fd, fd, events, fd)
    this.#watched.set(fd, { events, ready })
  }

  /** Watches a descriptor no more; before it is closed. Nothing happens when it is not watched. */
  forget(fd: number): void {
    if (this.#watched.delete(fd)) epollDelete(this.#epoll.fd, fd)
  }

  /** Waits once, and does what is to be done. @param timeout milliseconds; -1 without end */
  turn(timeout: number): void {
    const count = epollBlock(this.#epoll.fd, this.#events, timeout)
    // One that an earlier event of the same turn has closed is not watched any more.
    for (let i = 0; i < count; i++) this.#watched.get(this.#events.token(i))?.ready(this.#events.events(i))
  }
}
