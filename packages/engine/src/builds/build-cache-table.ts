import type { CacheKey, KeyParts } from '@engine/build'
import { z } from 'zod'
import { withoutSync, type Database, type Statement } from '../state/database.ts'

const imageRow = z.object({ image_id: z.string() })
const textRow = z.object({ parts: z.string() })
const entryRow = z.object({ key: z.string(), image_id: z.string(), instruction: z.string(), created_at: z.string(), used_at: z.string(), uses: z.number() })
const partsRow: z.ZodType<KeyParts> = z.object({
  parent: z.string(),
  instruction: z.string(),
  settings: z.record(z.string(), z.string()).exactOptional(),
  files: z.array(z.object({ path: z.string(), digest: z.string() })).exactOptional(),
})

/** One step that was made here. */
export type CacheEntry = z.infer<typeof entryRow>

/** Files of one step whose digests are kept for comparison; the key covers all of them. */
const maxFiles = 5000

/** The build cache in engine.db. What a power cut takes of its last entries is made again. */
export class BuildCacheTable {
  readonly #db: Database
  readonly #find: Statement<[string]>
  readonly #use: Statement<[string, string]>
  readonly #insert: Statement
  readonly #delete: Statement<[string]>
  readonly #prune: Statement<[]>
  readonly #siblings: Statement<[string, string]>
  readonly #all: Statement<[]>

  constructor(db: Database) {
    this.#db = db
    this.#find = db.prepare('SELECT image_id FROM build_steps WHERE key = ?')
    this.#use = db.prepare('UPDATE build_steps SET used_at = ?, uses = uses + 1 WHERE key = ?')
    this.#insert = db.prepare(`
      INSERT INTO build_steps (key, image_id, parent, instruction, parts, created_at, used_at) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET image_id = excluded.image_id, used_at = excluded.used_at`)
    this.#delete = db.prepare('DELETE FROM build_steps WHERE key = ?')
    this.#prune = db.prepare('DELETE FROM build_steps WHERE image_id NOT IN (SELECT id FROM images)')
    this.#siblings = db.prepare('SELECT parts FROM build_steps WHERE parent = ? OR instruction = ? ORDER BY used_at DESC LIMIT 20')
    this.#all = db.prepare('SELECT key, image_id, instruction, created_at, used_at, uses FROM build_steps ORDER BY used_at')
  }

  /** The image that a step with this key made. */
  find(key: CacheKey): string | undefined {
    const found = this.#find.get(key.digest)
    return found === undefined ? undefined : imageRow.parse(found).image_id
  }

  /** Notes that an entry was of use. */
  use(key: CacheKey, at: string): void {
    withoutSync(this.#db, () => this.#use.run(at, key.digest))
  }

  insert(key: CacheKey, image: string, at: string): void {
    const { parts } = key
    const kept: KeyParts = parts.files === undefined ? parts : { ...parts, files: parts.files.slice(0, maxFiles) }
    withoutSync(this.#db, () => this.#insert.run(key.digest, image, parts.parent, commandOf(parts), JSON.stringify(kept), at, at))
  }

  delete(digest: string): void {
    this.#delete.run(digest)
  }

  /** Takes away entries that lead to an image that is gone. */
  prune(): void {
    this.#prune.run()
  }

  /** Every entry, the last used last. */
  all(): CacheEntry[] {
    return this.#all.all().map((found) => entryRow.parse(found))
  }

  /** Ids of the images that steps made. */
  images(): Set<string> {
    return new Set(this.all().map(({ image_id: id }) => id))
  }

  /** Keys of steps that began from the same image or are of the same instruction, the last used first: what a missed step can be compared with. */
  siblings(key: CacheKey): KeyParts[] {
    return this.#siblings.all(key.parts.parent, commandOf(key.parts)).map((found) => partsRow.parse(JSON.parse(textRow.parse(found).parts)))
  }
}

/** The instruction without the digest of what it copies. */
function commandOf({ instruction }: KeyParts): string {
  return instruction.replace(/\b(?:file|dir|multi):[0-9a-f]{64}/g, '')
}
