import { Worker } from 'node:worker_threads'
import { EngineError } from '@engine/linux'
import type { ResolverSettings } from './sandbox-resolver.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'
import type { NamedEndpoint } from './zone.ts'

export interface NameServerOptions {
  /** The worker's program. */
  readonly program: string | URL
  readonly log: (level: 'warn' | 'error', message: string) => void
}

/**
 * Names for containers on networks of users' own: a thread that answers at 127.0.0.11 in each sandbox. It is started when the
 * first sandbox needs it; if it should die, another one takes its place and is told everything again.
 */
export class NameServer implements AsyncDisposable {
  readonly #options: NameServerOptions
  readonly #networks = new Map<string, string>()
  readonly #endpoints = new Map<string, Extract<ToWorker, { type: 'endpoint' }>>()
  readonly #sandboxes = new Map<string, ResolverSettings>()
  readonly #requests = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  #worker: Worker | undefined
  #lastRequest = 0
  #ending = false

  constructor(options: NameServerOptions) {
    this.#options = options
  }

  /** Adds an endpoint, or changes its names. */
  setEndpoint(network: { readonly id: string; readonly name: string }, id: string, endpoint: NamedEndpoint): void {
    const message = { type: 'endpoint', networkId: network.id, id, endpoint } as const
    this.#endpoints.set(id, message)
    if (this.#networks.get(network.id) === undefined) {
      this.#networks.set(network.id, network.name)
      this.#worker?.postMessage({ type: 'network', id: network.id, name: network.name } satisfies ToWorker)
    }
    this.#worker?.postMessage(message satisfies ToWorker)
  }

  /** Nothing happens when it is gone. */
  removeEndpoint(id: string): void {
    const known = this.#endpoints.get(id)
    if (known === undefined) return
    this.#endpoints.delete(id)
    this.#worker?.postMessage({ type: 'endpoint-gone', networkId: known.networkId, id } satisfies ToWorker)
  }

  removeNetwork(id: string): void {
    if (this.#networks.delete(id)) this.#worker?.postMessage({ type: 'network-gone', id } satisfies ToWorker)
  }

  /**
   * Opens a sandbox's nameserver, or changes what it knows; from then on it answers there.
   * @throws EngineError unavailable
   */
  async open(sandbox: string, settings: ResolverSettings): Promise<void> {
    this.#sandboxes.set(sandbox, settings)
    await this.#ask(this.#running(), sandbox, settings)
  }

  /** Its sockets go, and with them what keeps the sandbox's namespace. Nothing happens when it is not open. */
  close(sandbox: string): void {
    if (this.#sandboxes.delete(sandbox)) this.#worker?.postMessage({ type: 'close', sandbox } satisfies ToWorker)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    await this.#worker?.terminate()
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(this.#options.program, { name: 'engine-names', resourceLimits: { maxYoungGenerationSizeMb: 4 }, stdin: false })
    this.#worker = worker
    worker.unref()
    worker.on('message', ({ request, error }: FromWorker) => {
      const waiting = this.#requests.get(request)
      this.#requests.delete(request)
      if (error === undefined) waiting?.resolve()
      else waiting?.reject(new EngineError('unavailable', `cannot answer for names: ${error}`))
    })
    worker.on('error', (error) => this.#died(worker, error instanceof Error ? error.message : String(error)))
    worker.on('exit', () => this.#died(worker, 'it has ended'))
    for (const [id, name] of this.#networks) worker.postMessage({ type: 'network', id, name } satisfies ToWorker)
    for (const endpoint of this.#endpoints.values()) worker.postMessage(endpoint satisfies ToWorker)
    return worker
  }

  #ask(worker: Worker, sandbox: string, settings: ResolverSettings): Promise<void> {
    const request = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      this.#requests.set(request, { resolve, reject })
      worker.postMessage({ type: 'open', request, sandbox, settings } satisfies ToWorker)
    })
  }

  #died(worker: Worker, why: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { reject } of this.#requests.values()) reject(new EngineError('unavailable', 'the thread that answers for names has died'))
    this.#requests.clear()
    if (this.#ending) return
    this.#options.log('error', `the thread that answers for names has died, and is started again: ${why}`)
    const next = this.#running()
    for (const [sandbox, settings] of this.#sandboxes) {
      this.#ask(next, sandbox, settings).catch((error: unknown) => this.#options.log('error', `no names in ${sandbox}: ${String(error)}`))
    }
  }
}
