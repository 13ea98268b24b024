import { buildCacheBudget } from './builds/budget.ts'
import type { BuildEngine } from './builds/build-engine.ts'
import { listCache } from './builds/list-cache.ts'
import type { CacheImages } from './builds/prune-cache.ts'
import { budgetedBytes, keepToBudget, type ImageBudgetParts } from './images/budget.ts'
import type { EngineOptions } from './interface.ts'

/** Milliseconds between two looks when nothing happens: time passes, and what was just used becomes unused. */
const interval = 60_000
/** Milliseconds from the end of a pull, load or build to a look, and from one look to the next: a build cache is walked through for it. */
const [afterwards, between] = [500, 5000]

export interface BudgetsParts {
  readonly options: Pick<EngineOptions, 'imageMaxSize' | 'buildCacheMaxSize' | 'log'>
  readonly images: ImageBudgetParts
  readonly builder: BuildEngine
  readonly cache: CacheImages
}

/** What images and the build cache may take, and what they take; in bytes. */
export interface BudgetView {
  readonly MaxSize: number
  readonly Size: number
}

/** Keeps images and the build cache to what they may take, from the start on: soon after something was made, and each minute. Without limits it does nothing. */
export class Budgets implements AsyncDisposable {
  readonly #parts: BudgetsParts
  readonly #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Timeout | undefined
  #ended = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  /** What the build cache took last is known, and nothing was built since: looking means to walk through all its directories. */
  #builds = -1
  #closed = false

  constructor(parts: BudgetsParts) {
    this.#parts = parts
    const { imageMaxSize, buildCacheMaxSize } = parts.options
    if (imageMaxSize === undefined && buildCacheMaxSize === undefined) return
    this.#timer = setInterval(() => this.#look(), interval)
    this.#timer.unref()
    parts.images.verbs.store.whenIdle(() => this.#lookSoon())
    this.#look()
  }

  /** What there is to say of it; undefined without limits. */
  async view(): Promise<{ Images?: BudgetView; BuildCache?: BudgetView } | undefined> {
    const { options: { imageMaxSize, buildCacheMaxSize }, images, builder, cache } = this.#parts
    if (imageMaxSize === undefined && buildCacheMaxSize === undefined) return undefined
    const records = buildCacheMaxSize === undefined ? [] : await listCache(builder, cache)
    return {
      ...(imageMaxSize === undefined ? {} : { Images: { MaxSize: imageMaxSize, Size: budgetedBytes(images) } }),
      ...(buildCacheMaxSize === undefined ? {} : { BuildCache: { MaxSize: buildCacheMaxSize, Size: records.reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0) } }),
    }
  }

  #lookSoon(): void {
    if (this.#closed || this.#soon !== undefined) return
    const look = (): void => {
      this.#soon = undefined
      this.#look()
    }
    this.#soon = setTimeout(look, Math.max(afterwards, this.#ended + between - performance.now())).unref()
  }

  #look(): void {
    this.#running ??= this.#keep()
      .catch((error: unknown) => this.#parts.options.log('warn', { error: String(error) }, 'what images and the build cache take could not be kept to its limit'))
      .finally(() => {
        this.#running = undefined
        this.#ended = performance.now()
      })
  }

  async #keep(): Promise<void> {
    const { options, images, builder, cache } = this.#parts
    if (options.buildCacheMaxSize !== undefined && this.#builds !== builder.built.count) {
      this.#builds = builder.built.count
      await buildCacheBudget(builder, cache, options.buildCacheMaxSize, options.log)
    }
    // Images last: what the cache let go of may be what kept one.
    if (options.imageMaxSize !== undefined && !this.#closed) await keepToBudget(images, options.imageMaxSize, Date.now())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    await this.#running
  }
}
