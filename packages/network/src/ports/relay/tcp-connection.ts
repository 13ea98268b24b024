import { EngineError, Errno, failedWith } from '@engine/linux'
import { Descriptor } from '@engine/linux/descriptor'
import { Epoll } from '@engine/linux/epoll'
import { setPipeSize } from '@engine/linux/fifo'
import { connectInet, endSending, inetSocket, resetAtClose, sendAtOnce, socketError } from '@engine/linux/inet-socket'
import { pipe } from '@engine/linux/pipe'
import { spliceIfReady } from '@engine/linux/splice'
import { isIPv6 } from 'node:net'
import type { Poller } from './poller.ts'

/** Bytes that are under way in each direction at most. */
const pipeBytes = 512 * 1024
/** So often a direction goes on before others have their turn. */
const rounds = 8

/** One direction: from a socket through a pipe into the other socket. The pipe's pages go from one to the other uncopied. */
interface Direction {
  readonly from: Descriptor
  readonly to: Descriptor
  readonly into: Descriptor
  readonly outOf: Descriptor
  /** Bytes in the pipe. */
  held: number
  /** Nothing more comes from `from`. */
  ended: boolean
  /** The other side knows. */
  done: boolean
}

/** A TCP connection that came from a client and goes on to a container. What breaks on one side breaks on the other. */
export class TcpConnection {
  readonly #poller: Poller
  readonly #client: Descriptor
  readonly #container: Descriptor
  readonly #directions: readonly [Direction, Direction]
  readonly #onEnd: (connection: TcpConnection) => void
  #connected = false

  /**
   * @param client an accepted socket; it is this connection's from now on
   * @throws SyscallError when there are no descriptors, or no way to the container; the client is closed
   */
  constructor(poller: Poller, client: Descriptor, target: { readonly address: string; readonly port: number }, onEnd: (connection: TcpConnection) => void) {
    using open = new DisposableStack()
    open.adopt(client, (one) => reset(one))
    const container = open.use(inetSocket('tcp', isIPv6(target.address)))
    this.#directions = [direction(open, client, container), direction(open, container, client)]
    for (const { fd } of [client, container]) sendAtOnce(fd)
    connectInet(container.fd, target.address, target.port)
    this.#poller = poller
    this.#client = client
    this.#container = container
    this.#onEnd = onEnd
    poller.watch(container.fd, Epoll.OUT, (events) => this.#ready(events))
    open.move()
  }

  /** Breaks it off. */
  close(): void {
    for (const socket of [this.#client, this.#container]) {
      this.#poller.forget(socket.fd)
      reset(socket)
    }
    for (const { into, outOf } of this.#directions) for (const end of [into, outOf]) end.close()
    this.#onEnd(this)
  }

  #ready(events: number): void {
    try {
      if (!this.#connected) {
        const errno = socketError(this.#container.fd)
        if (errno !== 0) throw new EngineError('unavailable', `the container refuses the connection: errno ${errno}`)
        this.#connected = true
      } else if ((events & Epoll.ERR) !== 0 && [this.#client, this.#container].some(({ fd }) => socketError(fd) !== 0)) {
        throw new EngineError('unavailable', 'the connection was broken off')
      }
      for (const one of this.#directions) carry(one)
    } catch {
      // Reset, refused, or out of memory: the other side learns of it the same way.
      return this.close()
    }
    if (this.#directions.every(({ done }) => done)) this.#finish()
    else this.#watch()
  }

  /** Both have said all: an orderly end, without a reset. */
  #finish(): void {
    for (const socket of [this.#client, this.#container]) {
      this.#poller.forget(socket.fd)
      socket.close()
    }
    this.close()
  }

  #watch(): void {
    const [there, back] = this.#directions
    for (const [socket, reading, writing] of [[this.#client, there, back], [this.#container, back, there]] as const) {
      const wanted = (!reading.ended && reading.held === 0 ? Epoll.IN : 0) | (writing.held > 0 ? Epoll.OUT : 0)
      // The kernel tells of a hang-up always; a socket that is through with both is not to be told of for ever.
      if (reading.ended && writing.done) this.#poller.forget(socket.fd)
      else this.#poller.watch(socket.fd, wanted, (events) => this.#ready(events))
    }
  }
}

function direction(open: DisposableStack, from: Descriptor, to: Descriptor): Direction {
  const { read, write } = pipe()
  const [outOf, into] = [open.use(new Descriptor(read)), open.use(new Descriptor(write))]
  setPipeSize(write, pipeBytes)
  return { from, to, into, outOf, held: 0, ended: false, done: false }
}

/** Moves what is there, as far as the other side takes it. */
function carry(way: Direction): void {
  for (let round = 0; round < rounds && !way.done; round++) {
    const before = way.held
    let moved = 0
    if (!way.ended) {
      const came = spliceIfReady(way.from.fd, way.into.fd, pipeBytes)
      if (came === 0) way.ended = true
      else if (came !== undefined) way.held += moved = came
    }
    if (way.held > 0) {
      const went = spliceIfReady(way.outOf.fd, way.to.fd, way.held) ?? 0
      way.held -= went
      moved += went
    }
    if (way.ended && way.held === 0) {
      endSending(way.to.fd)
      way.done = true
    }
    if (moved === 0 && way.held === before) return
  }
}

/** Closes a socket so that its other side sees a reset; an orderly end has closed it before. */
function reset(socket: Descriptor): void {
  if (socket.fd < 0) return
  try {
    resetAtClose(socket.fd)
  } catch (error) {
    // It was broken off by the other side already.
    if (!failedWith(error, Errno.EINVAL)) throw error
  }
  socket.close()
}
