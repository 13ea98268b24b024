import { buildCacheBudget } from './builds/budget.ts'
import type { BuildEngine } from './builds/build-engine.ts'
import { listCache } from './builds/list-cache.ts'
import type { CacheImages } from './builds/prune-cache.ts'
import { budgetedBytes, keepToBudget, type ImageBudgetParts } from './images/budget.ts'
import type { EngineOptions } from './interface.ts'

/** Milliseconds between two looks. */
const interval = 60_000

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

/** Keeps images and the build cache to what they may take, from the start on, a minute behind. Without limits it does nothing. */
export class Budgets implements AsyncDisposable {
  readonly #parts: BudgetsParts
  readonly #timer: NodeJS.Timeout | undefined
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

  #look(): void {
    this.#running ??= this.#keep()
      .catch((error: unknown) => this.#parts.options.log('warn', { error: String(error) }, 'what images and the build cache take could not be kept to its limit'))
      .finally(() => (this.#running = undefined))
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
    await this.#running
  }
}
