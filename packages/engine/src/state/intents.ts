import { withoutSync, type Database, type Statement } from './database.ts'

/** A multi-step operation that was begun and not yet committed or undone. */
export interface Intent {
  readonly id: number
  /** `container create`, `container start`, `container remove`, `image import`, `build`, … */
  readonly operation: string
  /** The id of what it makes or changes. */
  readonly subject: string
  /** What the finisher needs besides; the operation's own shape. */
  readonly detail: unknown
  readonly begunAt: string
}

interface Row {
  id: number
  operation: string
  subject: string
  detail: string
  begun_at: string
}

/**
 * The list of operations under way: written before the first step, taken away in the transaction that commits the last
 * (or after everything was undone). What is left at a start belongs to a crash and is finished or undone by reconcile.
 */
export class Intents {
  readonly #db: Database
  readonly #insert: Statement<[string, string, string, string]>
  readonly #delete: Statement<[number]>
  readonly #all: Statement<[], Row>

  constructor(db: Database) {
    this.#db = db
    this.#insert = db.prepare('INSERT INTO intents (operation, subject, detail, begun_at) VALUES (?, ?, ?, ?)')
    this.#delete = db.prepare('DELETE FROM intents WHERE id = ?')
    this.#all = db.prepare('SELECT * FROM intents ORDER BY id')
  }

  /**
   * Writes an intent; give the number back to `end`. It outlives a crash of engined; after a crash of the machine what the
   * operation had made is found without it, by comparing the disk with the database.
   * @param together what else is written in the same commit
   */
  begin(operation: string, subject: string, detail: unknown = {}, together?: () => void): number {
    return withoutSync(this.#db, () =>
      this.#db.transaction(() => {
        together?.()
        return Number(this.#insert.run(operation, subject, JSON.stringify(detail), new Date().toISOString()).lastInsertRowid)
      })(),
    )
  }

  /** Writes an intent inside the caller's transaction; otherwise as `begin`. */
  note(operation: string, subject: string, detail: unknown): number {
    return Number(this.#insert.run(operation, subject, JSON.stringify(detail), new Date().toISOString()).lastInsertRowid)
  }

  /** The operation is committed, or undone. Call it inside the committing transaction. */
  end(id: number): void {
    this.#delete.run(id)
  }

  /** What a crash left, oldest first. */
  pending(): Intent[] {
    return this.#all.all().map((row) => ({ id: row.id, operation: row.operation, subject: row.subject, detail: JSON.parse(row.detail) as unknown, begunAt: row.begun_at }))
  }
}
