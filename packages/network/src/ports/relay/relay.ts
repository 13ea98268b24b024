import { Worker } from 'node:worker_threads'
import { Descriptor } from '@engine/linux/descriptor'
import { eventfdCreate, eventfdSignal } from '@engine/linux/eventfd'
import { bindInet, inetSocket, listenInet, localPort, takeIPv6Only } from '@engine/linux/inet-socket'
import { needsRelay, portRuns, type PublishedPort } from '../published-port.ts'
import type { RelayData, RelayedPort, ToRelay } from './messages.ts'

/** Milliseconds that the thread may take to let go of sockets. */
const patience = 2000
/** As many as the kernel lets wait (net.core.somaxconn, 4096 since Linux 5.4). */
const backlog = 4096

export interface RelayOptions {
  /** The worker's program. */
  readonly program: string | URL
  readonly log: (level: 'error', message: string) => void
}

/**
 * Carries over IPv6 to containers that have only IPv4, and from ::1, which the kernel lets out by no other link. Rules send all of TCP
 * to one listener, however many ports there are; the kernel tells where each connection was going. Of UDP each port has the socket
 * that keeps it. A thread does the work; it is there once a port needs it.
 */
export class Relay implements Disposable {
  /** The listener's port, at all of the host's IPv6 addresses. */
  readonly port: number
  readonly #options: RelayOptions
  readonly #listener: Descriptor
  readonly #wake: Descriptor
  readonly #done = new Int32Array(new SharedArrayBuffer(4))
  readonly #owners = new Map<string, readonly RelayedPort[]>()
  #worker: Worker | undefined
  #sent = 0

  /** Listens in the network namespace that this thread is in. @throws SyscallError */
  constructor(options: RelayOptions) {
    this.#options = options
    this.#listener = inetSocket('tcp', true)
    takeIPv6Only(this.#listener.fd)
    bindInet(this.#listener.fd, '::', 0)
    listenInet(this.#listener.fd, backlog)
    this.port = localPort(this.#listener.fd)
    this.#wake = new Descriptor(eventfdCreate())
    process.once('exit', this.#release)
  }

  /**
   * Serves an owner's ports from now on, in the place of those before.
   * @param socketOf what keeps a port of UDP
   */
  serve(owner: string, ports: readonly PublishedPort[], socketOf: (port: PublishedPort) => number | undefined): void {
    const relayed = ports.filter(needsRelay)
    const runs = [
      ...portRuns(relayed.filter(({ protocol }) => protocol === 'tcp')),
      ...relayed.flatMap((port): RelayedPort[] => {
        const socket = port.protocol === 'udp' ? socketOf(port) : undefined
        return socket === undefined ? [] : [{ ...port, last: port.hostPort, socket }]
      }),
    ]
    if (runs.length === 0) return this.drop(owner)
    this.#owners.set(owner, runs)
    this.#start()
    this.#send({ type: 'ports', owner, ports: runs })
  }

  /** Serves an owner's ports no more: when this returns nobody reads its sockets, which can be closed. */
  drop(owner: string): void {
    const before = this.#owners.get(owner)
    if (before === undefined) return
    this.#owners.delete(owner)
    if (this.#worker === undefined) return
    this.#send({ type: 'ports', owner, ports: [] })
    if (before.some(({ socket }) => socket !== undefined)) this.#await()
  }

  [Symbol.dispose](): void {
    process.removeListener('exit', this.#release)
    if (this.#worker !== undefined) {
      this.#worker.removeAllListeners()
      this.#send({ type: 'end' })
      this.#await()
      void this.#worker.terminate()
    }
    this.#listener.close()
    this.#wake.close()
  }

  /** A process does not end while a thread of it waits in the kernel. */
  readonly #release = (): void => {
    if (this.#worker !== undefined) this.#send({ type: 'end' })
  }

  #start(): void {
    if (this.#worker !== undefined) return
    this.#sent = 0
    Atomics.store(this.#done, 0, 0)
    const data: RelayData = { listener: this.#listener.fd, wake: this.#wake.fd, done: this.#done.buffer }
    const worker = new Worker(this.#options.program, { name: 'engine-relay', workerData: data, trackUnmanagedFds: false, resourceLimits: { maxYoungGenerationSizeMb: 4 }, stdin: false })
    this.#worker = worker
    worker.unref()
    worker.once('error', (error) => this.#died(worker, error instanceof Error ? error.message : String(error)))
    worker.once('exit', () => this.#died(worker, 'it has ended'))
  }

  #died(worker: Worker, why: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#options.log('error', `the thread that relays IPv6 has died, and is started again: ${why}`)
    this.#start()
    for (const [owner, ports] of this.#owners) this.#send({ type: 'ports', owner, ports })
  }

  #send(message: ToRelay): void {
    this.#worker?.postMessage(message)
    this.#sent++
    eventfdSignal(this.#wake.fd)
  }

  /** Until the thread has done all that it was told. It does nothing that takes long. */
  #await(): void {
    const end = performance.now() + patience
    for (;;) {
      const done = Atomics.load(this.#done, 0)
      const left = end - performance.now()
      if (done >= this.#sent || left <= 0 || this.#worker === undefined) return
      Atomics.wait(this.#done, 0, done, left)
    }
  }
}
