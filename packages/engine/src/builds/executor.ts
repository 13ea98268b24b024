import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { BuildImage, BuildLine, CacheKey, EditedRoot, Executor, ImageRoot, KeyParts, NewImage, StepContainer, StepSettings } from '@engine/build'
import { familiarName, parseReference, withDefaultTag, writeImageConfig, type Credentials, type Image, type ImageConfig, type Layer, type Reference, type RunConfig } from '@engine/image'
import { EngineError } from '@engine/linux'
import { now, rfc3339 } from '../clock.ts'
import type { BuildOptions } from '../interface.ts'
import type { BuildEngine, StoredImage } from './build-engine.ts'
import { compareImages, type Difference } from './compare-images.ts'
import { editImageRoot, openCopy, openImageRoot } from './roots.ts'
import { recordOf, stepsOf } from './shared-cache/export.ts'
import type { CacheSources } from './shared-cache/import.ts'
import { readCacheSource, readCacheTarget, type CacheTarget } from './shared-cache/options.ts'
import { withRecord } from './shared-cache/record.ts'
import { createStepContainer } from './step-container.ts'
import { squashLayers } from './squash-layers.ts'
import { squashedImage, stepImage } from './step-image.ts'

/** Makes the images of one build's steps. Every image that the build has seen is held until the build ends. */
export class EngineExecutor implements Executor, AsyncDisposable {
  readonly #engine: BuildEngine
  readonly #options: BuildOptions
  readonly #directory: string
  readonly #signal: AbortSignal
  readonly #held = new Map<string, Disposable>()
  readonly #sources: CacheSources
  readonly #targets: readonly CacheTarget[]
  /** Steps that this build has made or found, by the digests of their keys, with their images. */
  readonly #steps = new Map<string, string>()
  #warn: (text: string) => void = () => undefined

  /**
   * @param directory the build's own
   * @param signal    ends the build
   */
  constructor(engine: BuildEngine, options: BuildOptions, directory: string, signal: AbortSignal) {
    this.#signal = signal
    this.#engine = engine
    this.#options = options
    this.#directory = directory
    this.#targets = (options.cacheTo ?? []).map(readCacheTarget)
    this.#sources = engine.sharedCache.open(options.cacheFrom.map(readCacheSource), {
      platform: options.platform, directory, signal, credentialsFor: (domain) => credentialsFor(domain, options.credentials), warn: (text) => this.#warn(text),
    })
    // Layers that are made for `scratch` have no image yet that is held.
    this.#hold(directory)
  }

  async resolve(reference: string, platform: string, tell: (line: BuildLine) => Promise<void> | void = () => undefined): Promise<BuildImage> {
    const { image, name } = this.#locate(reference, platform)
    if (image !== undefined) return this.#described(image)
    const pulling = this.#engine.pull(familiarName(name), { platform, credentials: credentialsFor(name.domain, this.#options.credentials) }, this.#signal)
    for await (const line of pulling) await tell(line)
    return this.#described(this.#engine.images.find(reference, platform))
  }

  async lookUp(reference: string, platform: string): Promise<ImageConfig> {
    const { image, name } = this.#locate(reference, platform)
    return image === undefined ? await this.#engine.lookUp(familiarName(name), { platform, credentials: credentialsFor(name.domain, this.#options.credentials) }, this.#signal) : image.config
  }

  /** The image that a reference means, if it is here; or the name that a registry is to be asked for. @throws EngineError not-found for an id that is not here */
  #locate(reference: string, platform: string): { readonly image: StoredImage; readonly name?: undefined } | { readonly image?: undefined; readonly name: Reference } {
    if (isImageId(reference)) return { image: this.#engine.images.find(reference, platform) }
    const name = withDefaultTag(parseReference(reference))
    const image = this.#options.pull === true ? undefined : this.#find(reference, platform)
    return image === undefined ? { name } : { image }
  }

  #find(reference: string, platform: string): StoredImage | undefined {
    try {
      return this.#engine.images.find(reference, platform)
    } catch (error) {
      if (error instanceof EngineError && error.code === 'not-found') return undefined
      throw error
    }
  }

  async image(id: string): Promise<BuildImage> {
    return this.#described(this.#stored(id))
  }

  async openRoot(image: string): Promise<ImageRoot> {
    return openImageRoot(this.#engine.overlay, image === '' ? nothing : this.#stored(image))
  }

  async editRoot(parent: string, how: 'on top' | 'apart'): Promise<EditedRoot> {
    return editImageRoot(this.#engine.overlay, this.#parent(parent), how === 'apart', this.#options.epoch, (image, layer) => this.#add(image, layer))
  }

  async editCopy(fd: number): Promise<ImageRoot> {
    return openCopy(fd, join(this.#directory, `copy-${randomBytes(8).toString('hex')}`))
  }

  async createContainer(parent: string, config: RunConfig, settings: StepSettings): Promise<StepContainer> {
    const image = this.#parent(parent)
    const program = config.Cmd?.[0] ?? ''
    // What Docker finds out when it starts such a container.
    if (image === undefined) throw new EngineError('invalid-argument', `exec: ${JSON.stringify(program)}: stat ${program}: no such file or directory`)
    const commit = (step: NewImage, layer: Layer | undefined): Promise<string> => this.#add(step, layer)
    return createStepContainer({ engine: this.#engine, options: this.#options, directory: this.#directory, commit, signal: this.#signal }, image, config, settings)
  }

  async commit(image: NewImage): Promise<string> {
    return this.#add(image, undefined)
  }

  async squash(id: string, below: string): Promise<string> {
    const image = this.#stored(id)
    const base = this.#parent(below)
    if (image.layers.length === (base?.layers.length ?? 0)) return id
    const layer = await squashLayers({ overlay: this.#engine.overlay, workers: this.#engine.workers, directory: this.#directory }, image, base, this.#options.epoch)
    return this.#store(squashedImage(image, base, layer?.diffId, this.#created()), below, layer)
  }

  async cached(key: CacheKey): Promise<string | undefined> {
    const { cache, images } = this.#engine
    const id = cache.find(key)
    if (id === undefined) return undefined
    if (images.get(id) === undefined) {
      cache.delete(key.digest)
      return undefined
    }
    cache.use(key, rfc3339(now()))
    this.#hold(id)
    this.#steps.set(key.digest, id)
    return id
  }

  async imported(key: CacheKey, step: NewImage, warn: (text: string) => void): Promise<string | undefined> {
    this.#warn = warn
    const claim = await this.#sources.find(key.digest)
    if (claim === undefined) return undefined
    const parent = this.#parent(step.parent)
    try {
      const layer = await claim.layer(parent ?? nothing)
      const image = await this.#store(stepImage(parent?.config, step, claim.diffId ?? undefined, this.#created()), step.parent, layer)
      this.#steps.set(key.digest, image)
      return image
    } catch (error) {
      this.#signal.throwIfAborted()
      warn(`a step cannot be taken from a cache: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  async exportCache(id: string, tell: (line: BuildLine) => Promise<void> | void): Promise<string> {
    const { config } = this.#stored(id)
    const steps = [...this.#steps].map(([key, image]) => ({ key, config: this.#stored(image).config }))
    let image = id
    for (const target of this.#targets) {
      if (target.type === 'inline') {
        image = await this.#store(writeImageConfig(withRecord(config, stepsOf(config, steps).map(recordOf))), id, undefined)
      } else {
        const pushed = target.mode === 'max' ? steps : stepsOf(config, steps)
        const lines = this.#engine.sharedCache.push(target.ref, pushed, (domain) => credentialsFor(domain, this.#options.credentials), this.#signal)
        for await (const line of lines) await tell(line)
      }
    }
    return image
  }

  async siblings(key: CacheKey): Promise<KeyParts[]> {
    return this.#engine.cache.siblings(key)
  }

  async remember(key: CacheKey, image: string): Promise<void> {
    this.#engine.cache.insert(key, image, rfc3339(now()))
    this.#steps.set(key.digest, image)
  }

  async firstDifference(a: string, b: string): Promise<Difference | undefined> {
    return compareImages(this.#engine.overlay, this.#stored(a), this.#stored(b))
  }

  async tag(image: string, reference: string): Promise<string> {
    return this.#engine.images.tag(image, reference)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sources[Symbol.asyncDispose]()
    for (const held of this.#held.values()) held[Symbol.dispose]()
    this.#held.clear()
  }

  async #add(step: NewImage, layer: Layer | undefined): Promise<string> {
    const parent = this.#parent(step.parent)
    return this.#store(stepImage(parent?.config, step, layer?.diffId, this.#created()), step.parent, layer)
  }

  async #store(image: Image, parent: string, layer: Layer | undefined): Promise<string> {
    await this.#engine.images.add(image, parent, layer, { unsynced: () => this.#engine.unsynced.note(image.id) })
    this.#hold(image.id)
    return image.id
  }

  #created(): string {
    return rfc3339(this.#options.epoch === undefined ? now() : BigInt(this.#options.epoch) * 1_000_000_000n)
  }

  #described(image: StoredImage): BuildImage {
    this.#hold(image.id)
    this.#engine.images.used(image.id)
    return { id: image.id, content: contentOf(image.config), config: image.config.config ?? {}, author: image.config.author ?? '' }
  }

  #hold(id: string): void {
    if (!this.#held.has(id)) this.#held.set(id, this.#engine.images.hold(id))
  }

  #stored(id: string): StoredImage {
    const image = this.#engine.images.get(id)
    if (image === undefined) throw new EngineError('not-found', `No such image: ${id}`)
    return image
  }

  /** The image that a step begins from; none for `scratch`. */
  #parent(id: string): StoredImage | undefined {
    return id === '' ? undefined : this.#stored(id)
  }
}

function isImageId(reference: string): boolean {
  return /^(?:sha256:[0-9a-f]{64}|[0-9a-f]{64})$/.test(reference)
}

/** Docker names its own registry by an address of old. */
function credentialsFor(domain: string, all: BuildOptions['credentials']): Credentials | undefined {
  const names = domain === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', domain] : [domain, `https://${domain}`]
  return names.map((name) => all?.get(name)).find((credentials) => credentials !== undefined)
}

/** What an image is, apart from its history and its age. */
function contentOf({ architecture, variant, os, author, config, rootfs }: ImageConfig): string {
  return createHash('sha256').update(JSON.stringify([architecture, variant ?? '', os, author ?? '', config ?? {}, rootfs.diff_ids])).digest('hex')
}

/** `scratch`, seen as an image. */
const nothing: StoredImage = { id: '', layers: [], config: { architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [] } } }
