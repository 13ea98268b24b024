import { createHash } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { Errno, failedWith } from '@engine/linux'
import type { Descriptor } from '@engine/linux/descriptor'
import { bindInet, inetSocket, listenInet, setReceiveBuffer } from '@engine/linux/inet-socket'
import { Nftables } from '@engine/linux/nftables'
import { inNetworkNamespace } from '@engine/linux/setns'
import { openSandbox } from '../container-end.ts'
import { Forwarder, type Upstream } from './forwarder.ts'
import { parseQuery, RecordType, ResponseCode, writeResponse, type Query } from './message.ts'
import { Frames, frame } from './tcp-frames.ts'
import type { SandboxNetwork, Zone } from './zone.ts'

/** Where containers find it, as Docker's: `nameserver 127.0.0.11`. */
export const resolverAddress = '127.0.0.11'

const table = 'engine_dns'
const [firstPort, ports] = [32_768, 28_000]
const maximalMessage = 65_535
/** Room for some thousands of queries that come at once. */
const burstBytes = 2 << 20
/** Clients by TCP at the same time, and milliseconds that one may be silent. */
const maximalClients = 1024
const idleTime = 8000

/** What a sandbox's resolver needs to know besides the names. */
export interface ResolverSettings {
  readonly networks: readonly SandboxNetwork[]
  readonly upstreams: readonly Upstream[]
  /** The container has a way out: the host's nameservers are asked in its name. Not so on internal networks (CVE-2024-29018). */
  readonly outside: boolean
  /** The user has chosen `ndots`: a name without a dot is not asked for outside. */
  readonly dotless: boolean
}

/** The nameserver of one sandbox: sockets in its namespace, names from the zone, everything else from nameservers outside. */
export class SandboxResolver implements Disposable {
  readonly #zone: Zone
  readonly #namespace: Descriptor
  readonly #udp: UdpSocket
  readonly #tcp: Server
  readonly #clients = new Set<Socket>()
  #settings: ResolverSettings
  #forwarder: Forwarder

  /**
   * Opens sockets in the sandbox, at ports of their own, so that a nameserver in the container may have port 53; and has the
   * kernel lead there what is sent to 127.0.0.11:53. Ports are the same after a restart, if they are free, for clients that
   * keep their sockets.
   * @param sandbox path of the sandbox; primeThreads has been awaited
   */
  constructor(sandbox: string, settings: ResolverSettings, zone: Zone) {
    this.#zone = zone
    this.#settings = settings
    this.#namespace = openSandbox(sandbox)
    const { udp, tcp } = inNetworkNamespace(this.#namespace.fd, () => openSockets(sandbox))
    this.#udp = createSocket('udp4')
    this.#udp.bind({ fd: udp })
    this.#tcp = createServer((client) => this.#serve(client))
    this.#tcp.maxConnections = maximalClients
    this.#tcp.listen({ fd: tcp })
    this.#forwarder = new Forwarder(this.#namespace.fd, upstreamsOf(settings))
    // A client that is gone when its answer comes is no error of ours.
    this.#udp.on('error', () => undefined)
    this.#tcp.on('error', () => undefined)
    this.#udp.on('message', (bytes, from) => {
      void this.#answer(Buffer.from(bytes), 'udp').then((answer) => {
        if (answer !== undefined && this.#namespace.fd >= 0) this.#udp.send(answer, from.port, from.address, () => undefined)
      })
    })
  }

  update(settings: ResolverSettings): void {
    this.#settings = settings
    this.#forwarder = new Forwarder(this.#namespace.fd, upstreamsOf(settings))
  }

  [Symbol.dispose](): void {
    this.#udp.close()
    this.#tcp.close()
    for (const client of this.#clients) client.destroy()
    this.#namespace.close()
  }

  async #answer(message: Buffer, protocol: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const query = parseQuery(message)
    if (query === undefined) return undefined
    const limit = protocol === 'tcp' ? maximalMessage : query.udpBytes
    const failed = (code: number): Buffer => writeResponse(query, code, [], 0, limit)
    if (query.opcode !== 0) return failed(ResponseCode.NOTIMP)
    const own = this.#zone.answer(query, this.#settings.networks, limit)
    if (own !== undefined) return own
    if (this.#settings.dotless && isAddressQuery(query) && !query.name.includes('.')) return failed(ResponseCode.NOERROR)
    return (await this.#forwarder.forward(query, message, protocol)) ?? failed(ResponseCode.SERVFAIL)
  }

  #serve(client: Socket): void {
    this.#clients.add(client)
    const frames = new Frames()
    client.setTimeout(idleTime, () => client.destroy())
    client.on('error', () => client.destroy())
    client.on('close', () => this.#clients.delete(client))
    client.on('data', (chunk: Buffer) => {
      for (const message of frames.push(chunk)) {
        void this.#answer(Buffer.from(message), 'tcp').then((answer) => {
          if (answer !== undefined && client.writable) client.write(frame(answer))
        })
      }
    })
  }
}

/** Runs in the sandbox's namespace. */
function openSockets(sandbox: string): { readonly udp: number; readonly tcp: number } {
  const start = createHash('sha256').update(sandbox).digest().readUInt32BE() % ports
  for (let attempt = 0; ; attempt++) {
    const port = firstPort + ((start + attempt * 7919) % ports)
    using udp = inetSocket('udp', false)
    using tcp = inetSocket('tcp', false)
    try {
      bindInet(udp.fd, resolverAddress, port)
      bindInet(tcp.fd, resolverAddress, port)
    } catch (error) {
      if (failedWith(error, Errno.EADDRINUSE) && attempt < 1000) continue
      throw error
    }
    setReceiveBuffer(udp.fd, burstBytes)
    listenInet(tcp.fd, 511)
    using nftables = new Nftables()
    nftables.run(redirection(port))
    return { udp: udp.release(), tcp: tcp.release() }
  }
}

/** `dnat`, since `redirect` would lead to 127.0.0.1. Priority -100 is where the output hook translates destinations. */
function redirection(port: number): string {
  return [
    `add table ip ${table}`,
    `add chain ip ${table} output { type nat hook output priority -100 ; policy accept ; }`,
    `flush chain ip ${table} output`,
    ...['udp', 'tcp'].map((protocol) => `add rule ip ${table} output ip daddr ${resolverAddress} ${protocol} dport 53 dnat to ${resolverAddress}:${port}`),
    '',
  ].join('\n')
}

function upstreamsOf({ upstreams, outside }: ResolverSettings): Upstream[] {
  return upstreams.filter(({ host }) => outside || !host)
}

function isAddressQuery({ type }: Query): boolean {
  return type === RecordType.A || type === RecordType.AAAA
}
