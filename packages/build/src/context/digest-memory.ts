import type { BigIntStats } from 'node:fs'
import type { KeyFile } from '../cache.ts'

/** Files whose digests are remembered; each takes some 200 bytes. */
const maxFiles = 200_000

interface Known {
  readonly ctimeNs: bigint
  readonly size: bigint
  readonly digest: string
}

/**
 * Digests of files' contents by what the kernel says of the file: whatever changes a file sets its ctime. So a context or a layer that
 * is looked at again is not read again. The longest unused go first.
 */
export class DigestMemory {
  readonly #known = new Map<string, Known>()

  find(stat: BigIntStats): string | undefined {
    const key = `${stat.dev}:${stat.ino}`
    const known = this.#known.get(key)
    if (known === undefined || known.ctimeNs !== stat.ctimeNs || known.size !== stat.size) return undefined
    this.#known.delete(key)
    this.#known.set(key, known)
    return known.digest
  }

  /** @param stat from before the content was read, so that a change meanwhile is noticed the next time */
  remember(stat: BigIntStats, digest: string): void {
    // The clock of ctimes is coarse: what has changed just now may change again without a new time.
    if (BigInt(Date.now()) * 1_000_000n - stat.ctimeNs < settled) return
    this.#known.set(`${stat.dev}:${stat.ino}`, { ctimeNs: stat.ctimeNs, size: stat.size, digest })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= maxFiles) break
      this.#known.delete(oldest)
    }
  }
}

/** Files of sources that are remembered, all together. */
const maxSourceFiles = 100_000

/**
 * Descriptions of whole sources of COPY, by what names their root's content: a context that nothing has changed in since the last build,
 * an image. Not even looked at again. The longest unused go first.
 */
export class SourceMemory {
  readonly #known = new Map<string, readonly KeyFile[]>()
  #files = 0

  find(key: string): readonly KeyFile[] | undefined {
    const known = this.#known.get(key)
    if (known === undefined) return undefined
    this.#known.delete(key)
    this.#known.set(key, known)
    return known
  }

  remember(key: string, files: readonly KeyFile[]): void {
    if (files.length > maxSourceFiles) return
    this.#files += files.length - (this.#known.get(key)?.length ?? 0)
    this.#known.delete(key)
    this.#known.set(key, files)
    for (const [oldest, its] of this.#known) {
      if (this.#files <= maxSourceFiles) break
      this.#known.delete(oldest)
      this.#files -= its.length
    }
  }
}

/** Nanoseconds after which a change has another ctime: a tick of the slowest kernel clock, several times over. */
const settled = 50_000_000n
