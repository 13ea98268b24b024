import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageConfig, RunConfig } from '@engine/image'
import { EngineError } from '@engine/linux'
import { openRoot, procPath } from '@engine/linux/paths'
import type { CacheKey, KeyParts } from '../cache.ts'
import type { BuildImage, EditedRoot, Executor, ImageRoot, NewImage, StepContainer, StepFile, StepSettings } from '../executor.ts'

/** What a RUN step does in a test. */
export type Behaviour = (config: RunConfig, files: readonly StepFile[], root: string, settings: StepSettings) => { readonly status: number; readonly stdout?: string; readonly stderr?: string }

/** An executor for tests: images are directories, containers are functions, and every call is written down. */
export class RecordingExecutor implements Executor {
  readonly calls: string[] = []
  readonly images = new Map<string, NewImage & { readonly directory: string; readonly layers: readonly string[] }>()
  readonly keys: CacheKey[] = []
  readonly tags = new Map<string, string>()
  behave: Behaviour = () => ({ status: 0 })
  readonly #base: string
  readonly #cache = new Map<string, string>()
  #containers = 0

  /** @param base a directory for the images' files */
  constructor(base: string) {
    this.#base = base
  }

  /** Makes an image that FROM can name. */
  add(name: string, config: RunConfig, directory = this.#directory()): string {
    const id = this.#store({ parent: '', config, author: '', createdBy: name }, directory)
    this.tags.set(name, id)
    return id
  }

  /** The directory with an image's files. */
  files(id: string): string {
    return this.images.get(id)?.directory ?? ''
  }

  async resolve(reference: string, platform: string): Promise<BuildImage> {
    this.calls.push(`resolve ${reference}${platform === '' ? '' : ` ${platform}`}`)
    const id = this.tags.get(reference)
    if (id === undefined) throw new EngineError('not-found', `No such image: ${reference}`)
    return this.image(id)
  }

  async lookUp(reference: string, platform: string): Promise<ImageConfig> {
    return { architecture: 'amd64', os: 'linux', config: (await this.resolve(reference, platform)).config, rootfs: { type: 'layers', diff_ids: [] } }
  }

  async image(id: string): Promise<BuildImage> {
    const image = this.images.get(id)
    if (image === undefined) throw new EngineError('not-found', `No such image: ${id}`)
    // As with the engine's: what is equal has equal content, however old it is.
    const content = createHash('sha256').update(JSON.stringify([image.config, image.author, image.layers])).digest('hex')
    return { id, content, config: image.config, author: image.author }
  }

  async openRoot(image: string): Promise<ImageRoot> {
    this.calls.push('openRoot')
    const root = openRoot(this.files(image))
    return { fd: root.fd, [Symbol.asyncDispose]: async () => root.close() }
  }

  async editRoot(parent: string, how: 'on top' | 'apart' = 'on top'): Promise<EditedRoot> {
    this.calls.push(how === 'apart' ? 'editRoot apart' : 'editRoot')
    const directory = this.#directory(parent)
    const root = openRoot(directory)
    let committed = false
    return {
      fd: root.fd,
      commit: async (image) => {
        committed = true
        return this.#store(image, directory)
      },
      [Symbol.asyncDispose]: async () => {
        root.close()
        if (!committed) rmSync(directory, { recursive: true })
      },
    }
  }

  async editCopy(fd: number): Promise<ImageRoot> {
    const directory = this.#directory(undefined, procPath(fd))
    const root = openRoot(directory)
    return { fd: root.fd, [Symbol.asyncDispose]: async () => root.close() }
  }

  async createContainer(parent: string, config: RunConfig, settings: StepSettings): Promise<StepContainer> {
    const id = createHash('sha256').update(`container ${this.#containers++}`).digest('hex')
    const directory = this.#directory(parent)
    this.calls.push(`run ${JSON.stringify(config.Cmd)}`)
    return {
      id,
      warnings: [],
      execute: async (output) => {
        const { status, stdout, stderr } = this.behave(config, settings.files, directory, settings)
        if (stdout !== undefined) await output('stdout', Buffer.from(stdout))
        if (stderr !== undefined) await output('stderr', Buffer.from(stderr))
        return status
      },
      commit: async (image) => this.#store(image, this.#directory(undefined, directory)),
      remove: async () => {
        this.calls.push(`remove`)
        rmSync(directory, { recursive: true })
      },
      keep: async () => void this.calls.push('keep'),
    }
  }

  async commit(image: NewImage): Promise<string> {
    this.calls.push(`commit ${image.createdBy}`)
    return this.#store(image, this.files(image.parent))
  }

  async squash(image: string, base: string): Promise<string> {
    this.calls.push('squash')
    const made = this.images.get(image)
    return made === undefined ? '' : this.#store({ ...made, parent: base }, made.directory)
  }

  async cached(key: CacheKey): Promise<string | undefined> {
    return this.#cache.get(key.digest)
  }

  async imported(): Promise<undefined> {
    return undefined
  }

  async exportCache(image: string): Promise<string> {
    return image
  }

  async siblings(key: CacheKey): Promise<KeyParts[]> {
    return this.keys.map(({ parts }) => parts).filter((parts) => parts.parent === key.parts.parent || parts.instruction === key.parts.instruction)
  }

  async remember(key: CacheKey, image: string): Promise<void> {
    this.keys.push(key)
    this.#cache.set(key.digest, image)
  }

  async firstDifference(): Promise<undefined> {
    return undefined
  }

  async tag(image: string, reference: string): Promise<string> {
    this.tags.set(reference, image)
    return reference.includes(':') ? reference : `${reference}:latest`
  }

  /** A new directory, with a copy of an image's or another directory's files. */
  #directory(image?: string, copyOf?: string): string {
    const directory = mkdtempSync(join(this.#base, 'root-'))
    chmodSync(directory, 0o755)
    const from = copyOf ?? (image === undefined ? '' : this.files(image))
    if (existsSync(from)) execFileSync('cp', ['-a', `${from}/.`, directory])
    return directory
  }

  #store(image: NewImage, directory: string): string {
    const id = `sha256:${createHash('sha256').update(`image ${this.images.size}`).digest('hex')}`
    const below = this.images.get(image.parent)
    const layers = below === undefined ? [directory] : below.directory === directory ? below.layers : [...below.layers, image.createdBy]
    this.images.set(id, { ...image, directory, layers })
    return id
  }
}
