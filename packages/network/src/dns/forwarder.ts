import { randomInt } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { isIPv6, Socket } from 'node:net'
import { connectInet, inetSocket } from '@engine/linux/inet-socket'
import { inNetworkNamespace } from '@engine/linux/setns'
import { answersQuery, responseCode, ResponseCode, type Query } from './message.ts'
import { Frames, frame } from './tcp-frames.ts'

/** A nameserver that queries are passed on to. */
export interface Upstream {
  readonly address: string
  /** Asked from the host's namespace: it is the host's nameserver, perhaps on its loopback. Else from the container's. */
  readonly host: boolean
}

/** Milliseconds that a nameserver has to answer, as with Docker; and how many are asked one after another. */
const patience = 4000
const maximalServers = 3
const dnsPort = 53

/** Queries of one sandbox, and of all, that may wait for answers at the same time. */
const maximalPending = 1024
const maximalPendingInAll = 16_384

let pendingInAll = 0

/**
 * Passes queries on to nameservers. Each query has a socket of its own, whose port nobody can guess, and an id of ours
 * (RFC 5452).
 */
export class Forwarder {
  readonly #namespace: number
  readonly #upstreams: readonly Upstream[]
  #pending = 0

  /** @param namespace a descriptor of the container's network namespace; stays the caller's */
  constructor(namespace: number, upstreams: readonly Upstream[]) {
    this.#namespace = namespace
    this.#upstreams = upstreams.slice(0, maximalServers)
  }

  /**
   * Asks the nameservers in turn, until one answers with something else than a failure of its own.
   * @returns its answer with the query's id; undefined when none has one
   */
  async forward(query: Query, message: Buffer, protocol: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    if (this.#pending >= maximalPending || pendingInAll >= maximalPendingInAll) return undefined
    this.#pending++
    pendingInAll++
    try {
      for (const upstream of this.#upstreams) {
        const answer = await this.#ask(upstream, query, message, protocol)
        const code = answer === undefined ? ResponseCode.SERVFAIL : responseCode(answer)
        if (answer === undefined || code === ResponseCode.SERVFAIL || code === ResponseCode.REFUSED) continue
        answer.writeUInt16BE(query.id, 0)
        return answer
      }
      return undefined
    } finally {
      this.#pending--
      pendingInAll--
    }
  }

  async #ask(upstream: Upstream, query: Query, message: Buffer, protocol: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const id = randomInt(0x10000)
    const sent = Buffer.from(message)
    sent.writeUInt16BE(id, 0)
    try {
      return await (protocol === 'udp' ? this.#askByUdp(upstream, query, id, sent) : this.#askByTcp(upstream, query, id, sent))
    } catch {
      // It cannot be reached: no route, no network, nobody there.
      return undefined
    }
  }

  #askByUdp(upstream: Upstream, query: Query, id: number, sent: Buffer): Promise<Buffer | undefined> {
    const { address, host } = upstream
    const ipv6 = isIPv6(address)
    const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4' })
    if (!host) takeOver(socket, this.#inside(() => inetSocket('udp', ipv6).release()))
    return new Promise((resolve, reject) => {
      let done = false
      const timer = setTimeout(() => finish(undefined), patience)
      const finish = (answer: Buffer | undefined): void => {
        if (done) return
        done = true
        clearTimeout(timer)
        socket.close()
        resolve(answer)
      }
      const fail = (error: Error): void => {
        if (done) return
        done = true
        clearTimeout(timer)
        socket.close()
        reject(error)
      }
      socket.on('error', fail)
      socket.on('message', (bytes) => {
        if (answersQuery(bytes, query, id)) finish(bytes)
      })
      // Connected: what others send does not come in, and a port where nobody is makes an error at once.
      socket.connect(dnsPort, address, (error?: Error) => {
        if (error !== undefined) fail(error)
        else socket.send(sent, (failed) => {
          if (failed !== null) fail(failed)
        })
      })
    })
  }

  #askByTcp(upstream: Upstream, query: Query, id: number, sent: Buffer): Promise<Buffer | undefined> {
    const { address, host } = upstream
    const socket = host ? new Socket() : new Socket({ fd: this.#inside(() => connectedSocket(address)), readable: true, writable: true })
    if (host) socket.connect(dnsPort, address)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(undefined), patience)
      const finish = (answer: Buffer | undefined): void => {
        clearTimeout(timer)
        socket.destroy()
        resolve(answer)
      }
      const frames = new Frames()
      socket.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      socket.once('close', () => finish(undefined))
      socket.on('data', (chunk: Buffer) => {
        for (const message of frames.push(chunk)) if (answersQuery(message, query, id)) finish(message)
      })
      socket.write(frame(sent))
    })
  }

  #inside<T>(work: () => T): T {
    return inNetworkNamespace(this.#namespace, work)
  }
}

function connectedSocket(address: string): number {
  using socket = inetSocket('tcp', isIPv6(address))
  connectInet(socket.fd, address, dnsPort)
  return socket.release()
}

function takeOver(socket: UdpSocket, fd: number): void {
  socket.bind({ fd })
}
