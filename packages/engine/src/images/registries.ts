import { EngineError } from '@engine/linux'
import { Semaphore } from '@engine/linux/semaphore'
import { ConnectionError, endpointsOf, mayPass, refuseBlocked, RegistryClient, Transport, type Credentials, type Digest, type Endpoint, type GrowingFile, type Reference, type RegistryOptions } from '@engine/image'
import type { LayerRow } from '../state/layers-table.ts'
import { SharedWork } from './shared-work.ts'

/** How far a layer is, for all who pull it. */
export type LayerProgress =
  | { readonly kind: 'status'; readonly status: string }
  | { readonly kind: 'bar'; readonly status: string; readonly current: number; readonly total: number }

/** The engine's dealings with registries: connections, and what all pulls and pushes share. */
export class Registries {
  readonly options: RegistryOptions
  /** Fetches of blobs by digest; layers by chain ID. */
  readonly fetches = new SharedWork<void, LayerProgress>()
  readonly layers = new SharedWork<LayerRow, LayerProgress>()
  /** Layers that were made and whose images are not yet, by chain ID. */
  readonly made = new Map<string, LayerRow>()
  /** Blobs that are being fetched, and how far they are. */
  readonly coming = new Map<Digest, GrowingFile>()
  /** Layers that are unpacked while they come: half of the threads may be kept waiting by registries. */
  readonly early = new Semaphore(2)
  readonly downloads: Semaphore
  readonly uploads: Semaphore
  #transport: Transport | undefined
  #users = 0
  /** Pulls that want a blob, by its digest. */
  readonly #wanted = new Map<Digest, number>()

  constructor(options: RegistryOptions) {
    this.options = options
    this.downloads = new Semaphore(options.downloads)
    this.uploads = new Semaphore(options.uploads)
  }

  /** Connections that last until the last who uses them is done: a layer may be fetched on for another client than it was begun for. */
  transport(): AsyncDisposable & { readonly transport: Transport } {
    const transport = (this.#transport ??= new Transport(this.options))
    this.#users++
    return {
      transport,
      [Symbol.asyncDispose]: async () => {
        if (--this.#users > 0) return
        this.#transport = undefined
        this.made.clear()
        await transport[Symbol.asyncDispose]()
      },
    }
  }

  /** Says that a pull wants these blobs. Gives back, when it is done, those that no other pull wants. */
  want(blobs: readonly Digest[]): () => Digest[] {
    const own = [...new Set(blobs)]
    for (const blob of own) this.#wanted.set(blob, (this.#wanted.get(blob) ?? 0) + 1)
    return () => own.filter((blob) => {
      const left = (this.#wanted.get(blob) ?? 1) - 1
      if (left > 0) this.#wanted.set(blob, left)
      else this.#wanted.delete(blob)
      return left === 0
    })
  }

  /** Whether a pull that goes on wants a blob. */
  isWanted(blob: Digest): boolean {
    return this.#wanted.has(blob)
  }

  /** @throws EngineError forbidden when the configuration blocks it */
  async endpoints(reference: Pick<Reference, 'domain' | 'path'>, purpose: 'pull' | 'push'): Promise<Endpoint[]> {
    refuseBlocked(reference, this.options)
    return await endpointsOf(reference.domain, this.options, purpose)
  }

  client(transport: Transport, endpoint: Endpoint, reference: Pick<Reference, 'path'>, credentials: Credentials | undefined, purpose: 'pull' | 'push'): RegistryClient {
    return new RegistryClient(transport, endpoint, reference.path, credentials, purpose === 'pull' ? 'pull' : 'pull,push')
  }
}

/** Whether what a broken-off pull has fetched is worth keeping: the network or the client broke it off, not what was fetched. */
export function isInterruption(error: unknown): boolean {
  return error instanceof ConnectionError || mayPass(error) || (error instanceof EngineError && error.code === 'cancelled')
}
