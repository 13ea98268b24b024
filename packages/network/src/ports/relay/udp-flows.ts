import { isIPv6 } from 'node:net'
import { answerByRoute, type DatagramPeer, type Datagrams } from '@engine/linux/datagram'
import type { Descriptor } from '@engine/linux/descriptor'
import { Epoll } from '@engine/linux/epoll'
import { connectInet, inetSocket } from '@engine/linux/inet-socket'
import type { RelayedPort } from './messages.ts'
import type { Poller } from './poller.ts'

/** Milliseconds without a datagram after which a client is forgotten, as with Docker's proxy. */
const idleTime = 90_000
/** Clients of one port at the same time; the one that was silent longest makes room. */
const mostFlows = 1024
/** Datagrams of one socket before others have their turn. */
const burst = 64

/** One client of a port: what it sends goes out of a socket of its own, and what comes back there is for it. */
interface Flow {
  readonly key: string
  readonly peer: DatagramPeer
  readonly socket: Descriptor
  lastUsed: number
}

/** What comes for one published port of UDP, and what goes back. */
export class UdpFlows {
  readonly #poller: Poller
  readonly #datagrams: Datagrams
  readonly #port: RelayedPort
  readonly #socket: number
  /** By client, the one that was silent longest first. */
  readonly #flows = new Map<string, Flow>()

  /** @param socket keeps the port, and tells destinations; not closed here */
  constructor(poller: Poller, datagrams: Datagrams, port: RelayedPort, socket: number) {
    this.#poller = poller
    this.#datagrams = datagrams
    this.#port = port
    this.#socket = socket
    poller.watch(socket, Epoll.IN, () => this.#takeIn())
  }

  get empty(): boolean {
    return this.#flows.size === 0
  }

  /** Forgets clients that have been silent for long. */
  sweep(): void {
    for (const flow of this.#flows.values()) {
      if (performance.now() - flow.lastUsed < idleTime) return
      this.#forget(flow)
    }
  }

  close(): void {
    this.#poller.forget(this.#socket)
    for (const flow of this.#flows.values()) this.#forget(flow)
  }

  #takeIn(): void {
    for (let i = 0; i < burst; i++) {
      const received = lost(() => this.#datagrams.receiveFrom(this.#socket))
      if (received === undefined) return
      const flow = this.#flowOf(received.peer)
      if (flow === undefined) continue
      this.#use(flow)
      lost(() => this.#datagrams.send(flow.socket.fd, received.data))
    }
  }

  #giveBack(flow: Flow): void {
    for (let i = 0; i < burst; i++) {
      const data = lost(() => this.#datagrams.receive(flow.socket.fd))
      if (data === undefined) return
      this.#use(flow)
      lost(() => this.#datagrams.sendTo(this.#socket, data, flow.peer))
    }
  }

  #flowOf(peer: DatagramPeer): Flow | undefined {
    const key = peer.name.toString('latin1') + peer.control.toString('latin1')
    return this.#flows.get(key) ?? lost(() => this.#begin(key, peer))
  }

  #begin(key: string, peer: DatagramPeer): Flow {
    const { target, containerPort, hostPort, last } = this.#port
    const [oldest] = this.#flows.values()
    if (oldest !== undefined && this.#flows.size >= mostFlows) this.#forget(oldest)
    const socket = inetSocket('udp', isIPv6(target))
    try {
      connectInet(socket.fd, target, last > hostPort ? hostPort : containerPort)
      const flow: Flow = { key, peer: answerByRoute(peer), socket, lastUsed: 0 }
      this.#poller.watch(socket.fd, Epoll.IN, () => this.#giveBack(flow))
      return flow
    } catch (error) {
      socket.close()
      throw error
    }
  }

  #use(flow: Flow): void {
    flow.lastUsed = performance.now()
    this.#flows.delete(flow.key)
    this.#flows.set(flow.key, flow)
  }

  #forget(flow: Flow): void {
    this.#flows.delete(flow.key)
    this.#poller.forget(flow.socket.fd)
    flow.socket.close()
  }
}

/** A datagram that cannot be passed on is lost, as on a wire: nobody is there, there is no way, there is no room. */
function lost<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
