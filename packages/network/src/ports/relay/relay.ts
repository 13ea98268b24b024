import { Worker } from 'node:worker_threads'
import { Descriptor } from '@engine/linux/descriptor'
import { eventfdCreate, eventfdSignal } from '@engine/linux/eventfd'
import { bindInet, inetSocket, listenInet, localPort, takeIPv6Only } from '@engine/linux/inet-socket'
import { needsRelay, portRuns, type PublishedPort } from '../published-port.ts'
import { HeldDescriptors } from './held-descriptors.ts'
import type { RelayData, RelayedPort, ToRelay } from './messages.ts'

/** Milliseconds that the thread may take to let go of sockets. */
const patience = 2000
/** Milliseconds until a thread that lived less long than that is replaced: what kills it may come again at once. */
const respite = 1000
/** MiB of objects, which some ten thousand connections take. */
const mostMemory = 256
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
 * that keeps it. A thread does the work; it is there once a port needs it. If it should die, what it held is closed, and another one
 * takes its place; who connects meanwhile waits.
 */
export class Relay implements Disposable {
  /** The listener's port, at all of the host's IPv6 addresses. */
  readonly port: number
  readonly #options: RelayOptions
  readonly #listener: Descriptor
  readonly #wake: Descriptor
  readonly #owners = new Map<string, readonly RelayedPort[]>()
  #worker: Worker | undefined
  /** Of this worker: how many messages it has done what they said, and its descriptors. */
  #done = new Int32Array(new SharedArrayBuffer(4))
  #held = new HeldDescriptors(new SharedArrayBuffer(0))
  #sent = 0
  #restart: NodeJS.Timeout | undefined

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
    if (this.#worker === undefined) this.#start()
    else this.#send({ type: 'ports', owner, ports: runs })
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
    clearTimeout(this.#restart)
    const worker = this.#worker
    if (worker !== undefined) {
      worker.removeAllListeners()
      this.#send({ type: 'end' })
      this.#await()
      this.#worker = undefined
      const held = this.#held
      void worker.terminate().then(() => held.closeAll())
    }
    this.#listener.close()
    this.#wake.close()
  }

  /** A process does not end while a thread of it waits in the kernel. */
  readonly #release = (): void => {
    if (this.#worker !== undefined) this.#send({ type: 'end' })
  }

  #start(): void {
    if (this.#worker !== undefined || this.#restart !== undefined) return
    this.#sent = 0
    this.#done = new Int32Array(new SharedArrayBuffer(4))
    const memory = HeldDescriptors.memory()
    this.#held = new HeldDescriptors(memory)
    const data: RelayData = { listener: this.#listener.fd, wake: this.#wake.fd, done: this.#done.buffer, held: memory }
    const worker = new Worker(this.#options.program, { name: 'engine-relay', workerData: data, trackUnmanagedFds: false, resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: mostMemory }, stdin: false })
    this.#worker = worker
    worker.unref()
    const begun = performance.now()
    let why = 'it has ended'
    worker.once('error', (error) => (why = error instanceof Error ? error.message : String(error)))
    // Not before: until then it may use its descriptors.
    worker.once('exit', () => this.#died(worker, why, performance.now() - begun))
    for (const [owner, ports] of this.#owners) this.#send({ type: 'ports', owner, ports })
  }

  #died(worker: Worker, why: string, lived: number): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    const left = this.#held.closeAll()
    this.#options.log('error', `the thread that relays IPv6 has died with ${left} descriptors, and is started again: ${why}`)
    const again = (): void => {
      this.#restart = undefined
      if (this.#owners.size === 0) return
      try {
        this.#start()
      } catch (error) {
        this.#options.log('error', `the thread that relays IPv6 cannot be started: ${String(error)}`)
        this.#restart = setTimeout(again, respite).unref()
      }
    }
    if (lived < respite) this.#restart = setTimeout(again, respite).unref()
    else again()
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
