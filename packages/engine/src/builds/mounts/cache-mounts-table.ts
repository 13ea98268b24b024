import { z } from 'zod'
import type { Database, Statement } from '../../state/database.ts'

const row = z.object({ directory: z.string(), name: z.string(), created_at: z.string(), used_at: z.string(), uses: z.number() })

/** A directory that RUN steps share from build to build. */
export type CacheMountRow = z.infer<typeof row>

/** The cache mounts in engine.db. */
export class CacheMountsTable {
  readonly #all: Statement<[]>
  readonly #named: Statement<[string]>
  readonly #insert: Statement
  readonly #use: Statement<[string, string]>
  readonly #delete: Statement<[string]>

  constructor(db: Database) {
    this.#all = db.prepare('SELECT directory, name, created_at, used_at, uses FROM build_mounts ORDER BY used_at')
    this.#named = db.prepare('SELECT directory, name, created_at, used_at, uses FROM build_mounts WHERE name = ? ORDER BY created_at')
    this.#insert = db.prepare('INSERT INTO build_mounts (directory, name, created_at, used_at) VALUES (?, ?, ?, ?)')
    this.#use = db.prepare('UPDATE build_mounts SET used_at = ?, uses = uses + 1 WHERE directory = ?')
    this.#delete = db.prepare('DELETE FROM build_mounts WHERE directory = ?')
  }

  /** The last used last. */
  all(): CacheMountRow[] {
    return this.#all.all().map((found) => row.parse(found))
  }

  named(name: string): CacheMountRow[] {
    return this.#named.all(name).map((found) => row.parse(found))
  }

  insert(directory: string, name: string, at: string): void {
    this.#insert.run(directory, name, at, at)
  }

  use(directory: string, at: string): void {
    this.#use.run(at, directory)
  }

  delete(directory: string): void {
    this.#delete.run(directory)
  }
}
