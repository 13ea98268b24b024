import type { CacheKey, KeyParts } from '@engine/build'
import { z } from 'zod'
import type { Database, Statement } from '../state/database.ts'

const row = z.object({ image_id: z.string(), parts: z.string(), used_at: z.string() })

/** Files of one step whose digests are kept for comparison; the key covers all of them. */
const maxFiles = 5000

/** The build cache in engine.db. */
export class BuildCacheTable {
  readonly #find: Statement<[string]>
  readonly #use: Statement<[string, string]>
  readonly #insert: Statement
  readonly #delete: Statement<[string]>
  readonly #prune: Statement<[]>
  readonly #siblings: Statement<[string]>

  constructor(db: Database) {
    this.#find = db.prepare('SELECT image_id, parts, used_at FROM build_cache WHERE key = ?')
    this.#use = db.prepare('UPDATE build_cache SET used_at = ?, uses = uses + 1 WHERE key = ?')
    this.#insert = db.prepare(`
      INSERT INTO build_cache (key, image_id, parent_id, instruction, parts, created_at, used_at) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET image_id = excluded.image_id, used_at = excluded.used_at`)
    this.#delete = db.prepare('DELETE FROM build_cache WHERE key = ?')
    this.#prune = db.prepare("DELETE FROM build_cache WHERE image_id NOT IN (SELECT id FROM images) OR (parent_id <> '' AND parent_id NOT IN (SELECT id FROM images))")
    this.#siblings = db.prepare('SELECT image_id, parts, used_at FROM build_cache WHERE parent_id = ? ORDER BY used_at DESC LIMIT 20')
  }

  /** The image that a step with this key made. */
  find(key: CacheKey): string | undefined {
    const found = this.#find.get(key.digest)
    return found === undefined ? undefined : row.parse(found).image_id
  }

  /** Notes that an entry was of use. */
  use(key: CacheKey, at: string): void {
    this.#use.run(at, key.digest)
  }

  insert(key: CacheKey, image: string, at: string): void {
    const { parts } = key
    const kept: KeyParts = parts.files === undefined ? parts : { ...parts, files: parts.files.slice(0, maxFiles) }
    this.#insert.run(key.digest, image, parts.parent, parts.instruction, JSON.stringify(kept), at, at)
  }

  delete(key: CacheKey): void {
    this.#delete.run(key.digest)
  }

  /** Takes away entries that lead to an image that is gone, or begin from one. */
  prune(): void {
    this.#prune.run()
  }

  /** Keys of steps that began from the same image, the last used first: what a missed step can be compared with. */
  siblings(parent: string): KeyParts[] {
    return this.#siblings.all(parent).map((found) => JSON.parse(row.parse(found).parts) as KeyParts)
  }
}
