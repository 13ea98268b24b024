import { closeSync, openSync } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { Epoll } from '@engine/linux/epoll'
import { spliceAway } from '@engine/linux/splice'
import type { Poller } from './poller.ts'

const TURN_BYTES = 256 * 1024
let nothing: number | undefined

/**
 * Throws away what arrives in a FIFO until nobody has it open for writing. For a background child that outlives the process whose
 * output it shares: its writes go on, as if to /dev/null.
 */
export class Sink {
  readonly fd: number

  /** @param done called when the FIFO has been closed */
  constructor(fd: number, poller: Poller, done: () => void) {
    this.fd = fd
    nothing ??= openSync('/dev/null', 'w')
    const sink = nothing
    const watch = poller.watch(fd, Epoll.IN, () => {
      try {
        if (spliceAway(fd, sink, TURN_BYTES) > 0) return
      } catch (error) {
        if (failedWith(error, Errno.EAGAIN)) return
      }
      watch.stop()
      closeSync(fd)
      done()
    })
  }
}
