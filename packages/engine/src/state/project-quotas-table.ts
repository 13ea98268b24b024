import { z } from 'zod'
import type { Database, Statement } from './database.ts'

const row = z.object({ project: z.number().int().positive(), owner: z.string().min(1), bytes: z.number().int().positive() })

/** A project of the file system that belongs to a container or a volume. */
export type ProjectQuotaRow = z.infer<typeof row>

/** Projects in engine.db. */
export class ProjectQuotasTable {
  readonly #all: Statement<[]>
  readonly #insert: Statement<[number, string, number]>
  readonly #delete: Statement<[string]>
  readonly #rename: Statement<[string, string]>

  constructor(db: Database) {
    this.#all = db.prepare('SELECT project, owner, bytes FROM project_quotas ORDER BY project')
    this.#insert = db.prepare('INSERT INTO project_quotas (project, owner, bytes) VALUES (?, ?, ?)')
    this.#delete = db.prepare('DELETE FROM project_quotas WHERE owner = ?')
    this.#rename = db.prepare('UPDATE project_quotas SET owner = ? WHERE owner = ?')
  }

  all(): ProjectQuotaRow[] {
    return this.#all.all().map((found) => row.parse(found))
  }

  insert({ project, owner, bytes }: ProjectQuotaRow): void {
    this.#insert.run(project, owner, bytes)
  }

  delete(owner: string): void {
    this.#delete.run(owner)
  }

  rename(from: string, to: string): void {
    this.#rename.run(to, from)
  }
}
