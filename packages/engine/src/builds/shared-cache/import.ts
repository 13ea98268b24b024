import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  chainId, digestHex, downloadBlob, familiarName, getBlob, getManifest, maxConfigBytes, parsePlatform, parseReference, selectManifest, withDefaultTag,
  type Credentials, type Descriptor, type Digest, type Layer, type Reference, type RegistryClient,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageStore } from '../../images/image-store.ts'
import type { Registries } from '../../images/registries.ts'
import type { StoredImage } from '../build-engine.ts'
import { readRecord, type CacheRecord } from './record.ts'

export interface ImportTools {
  readonly store: ImageStore
  readonly registries: Registries
  readonly platform: string
  readonly credentialsFor: (domain: string) => Credentials | undefined
  /** A directory of the build's own. */
  readonly directory: string
  readonly signal: AbortSignal
  readonly warn: (text: string) => void
}

/** A claim that a step with some key made this layer; null made none. */
export interface Claim {
  readonly diffId: Digest | null
  /** Makes the layer on top of an image, unless it is here. Undefined: it was here. @throws EngineError when what comes is not what was claimed */
  layer(parent: StoredImage): Promise<Layer | undefined>
}

interface Source {
  readonly record: CacheRecord
  /** Where layers come from that are not here; undefined when the claim is an image's that is here. */
  readonly from: { readonly client: RegistryClient; readonly layers: readonly Descriptor[] } | undefined
}

/**
 * What others say that their builds have made: images and caches that a client has named for one build. None of it is noted in the
 * build cache, so that no other build is told of it. A claim is a digest of files; the configuration of the step's image is made here.
 */
export class CacheSources implements AsyncDisposable {
  readonly #tools: ImportTools
  readonly #names: readonly string[]
  readonly #open = new AsyncDisposableStack()
  #sources: Promise<Source[]> | undefined

  /** @param names images or caches, the first that knows a step counts; nothing is asked for before the first step that is not here */
  constructor(names: readonly string[], tools: ImportTools) {
    this.#names = names
    this.#tools = tools
  }

  /** What is claimed of a step. @param key digest of its key */
  async find(key: string): Promise<Claim | undefined> {
    if (this.#names.length === 0) return undefined
    for (const source of await (this.#sources ??= this.#load())) {
      const diffId = source.record.steps.get(key)
      if (diffId !== undefined) return { diffId, layer: (parent) => (diffId === null ? Promise.resolve(undefined) : this.#layer(source, diffId, parent)) }
    }
    return undefined
  }

  async #load(): Promise<Source[]> {
    const { signal, warn } = this.#tools
    const sources: Source[] = []
    for (const name of this.#names) {
      try {
        const source = this.#local(name) ?? (await this.#remote(withDefaultTag(parseReference(name))))
        if (source === undefined) warn(`${name} tells of no build steps`)
        else sources.push(source)
      } catch (error) {
        signal.throwIfAborted()
        warn(`failed to import the cache of ${name}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    return sources
  }

  #local(name: string): Source | undefined {
    try {
      const record = readRecord(this.#tools.store.find(name, this.#tools.platform).config)
      return record && { record, from: undefined }
    } catch (error) {
      if (error instanceof EngineError && (error.code === 'not-found' || error.code === 'invalid-argument')) return undefined
      throw error
    }
  }

  async #remote(reference: Reference): Promise<Source | undefined> {
    const { registries, credentialsFor, platform, signal } = this.#tools
    const connections = this.#open.use(registries.transport())
    let failure: unknown = new EngineError('not-found', `no registry has ${familiarName(reference)}`)
    for (const endpoint of await registries.endpoints(reference, 'pull')) {
      const client = registries.client(connections.transport, endpoint, reference, credentialsFor(reference.domain), 'pull')
      try {
        const top = await getManifest(client, reference.digest ?? reference.tag ?? 'latest', undefined, signal)
        const entry = top.kind === 'index' ? selectManifest(top, platform === '' ? undefined : parsePlatform(platform)) : undefined
        const manifest = entry === undefined ? top : await getManifest(client, entry.digest, entry, signal)
        if (manifest.kind === 'index') throw new EngineError('invalid-argument', 'an index within an index')
        const record = readRecord(JSON.parse((await getBlob(client, manifest.config, maxConfigBytes, signal)).toString('utf8')))
        if (record !== undefined && record.diffIds.length !== manifest.layers.length) throw new EngineError('invalid-argument', 'its layers are not those of its configuration')
        return record && { record, from: { client, layers: manifest.layers } }
      } catch (error) {
        signal.throwIfAborted()
        failure = error
      }
    }
    throw failure
  }

  async #layer({ record, from }: Source, diffId: Digest, parent: StoredImage): Promise<Layer | undefined> {
    const { store, registries, directory, signal } = this.#tools
    const id = digestHex(chainId([...parent.config.rootfs.diff_ids, diffId]))
    if (store.layers.get(id) !== undefined) return undefined
    const blob = from?.layers[record.diffIds.indexOf(diffId)]
    if (from === undefined || blob === undefined) throw new EngineError('not-found', `layer ${diffId} does not come with it`)
    const file = join(directory, `cache-${randomBytes(8).toString('hex')}`)
    try {
      await registries.downloads.run(() => downloadBlob(from.client, blob, file, { attempts: registries.options.attempts, signal }), { signal })
      const name = (found: Digest): string => {
        if (found !== diffId) throw new EngineError('invalid-argument', `layer ${blob.digest} is ${found} and not ${diffId}, as was said`)
        return id
      }
      return await store.overlay.createLayer({ file }, parent.layers, name, signal, { sync: false })
    } finally {
      await rm(file, { force: true })
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync()
  }
}
