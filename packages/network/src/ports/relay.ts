import { connect, createServer, type Server, type Socket } from 'node:net'
import { originalDestination } from '@engine/linux/inet-socket'

/** Where a connection that came for an address and port of the host's goes on to. */
export type RelayTarget = (address: string, port: number) => { readonly address: string; readonly port: number } | undefined

/**
 * Carries TCP connections over IPv6 to containers that have only IPv4, and those from ::1, which the kernel lets out by no other
 * link. Rules send all of them to one listener, however many ports there are; the kernel tells where each was going.
 */
export class Relay implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /**
   * Listens at some port of all the host's IPv6 addresses of this namespace.
   * @param targetOf what a connection came for; undefined lets it go
   */
  static async open(targetOf: RelayTarget): Promise<Relay> {
    const relay = new Relay(targetOf)
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen({ host: '::', port: 0, ipv6Only: true }, () => {
        relay.#server.removeListener('error', reject)
        resolve()
      })
    })
    return relay
  }

  private constructor(targetOf: RelayTarget) {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.#carry(client, targetOf))
    // A connection that was gone before it was taken in (ECONNABORTED) is nobody's trouble.
    this.#server.on('error', () => undefined)
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  #carry(client: Socket, targetOf: RelayTarget): void {
    const target = wanted(client, targetOf)
    if (target === undefined) {
      client.resetAndDestroy()
      return
    }
    const container = connect({ host: target.address, port: target.port, allowHalfOpen: true })
    for (const [socket, other] of [[client, container], [container, client]] as const) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      // What breaks on one side breaks on the other: a client sees a refusal as one.
      socket.on('error', () => other.resetAndDestroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        if (!other.writableEnded) other.destroySoon()
      })
    }
    container.once('connect', () => {
      client.pipe(container)
      container.pipe(client)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

function wanted(client: Socket, targetOf: RelayTarget): ReturnType<RelayTarget> {
  const fd = descriptorOf(client)
  if (fd === undefined) return undefined
  try {
    const { address, port } = originalDestination(fd)
    return targetOf(address, port)
  } catch {
    // It came to this port by itself.
    return undefined
  }
}

/** Node shows a socket's descriptor only in its handle. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}
