import Sqlite from 'better-sqlite3'

/** An open database. Statements are prepared once, by the table that uses them. */
export type Database = Sqlite.Database
export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = Sqlite.Statement<Parameters, Row>

/** One step of a schema's history. Its number is the `user_version` it leads to; a step that was released never changes. */
export interface Migration {
  readonly version: number
  up(db: Database): void
}

/**
 * Opens a database file and brings its schema up to date.
 * A commit is on the disk when it returns (WAL with synchronous=FULL, 0.2 ms) unless `durable` is false:
 * then a power cut may lose the last ones, never break the file.
 * @throws Error when the file was written by a later version of the program
 */
export function openDatabase(path: string, migrations: readonly Migration[], options: { readonly durable: boolean } = { durable: true }): Database {
  const db = new Sqlite(path)
  try {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${options.durable ? 'FULL' : 'NORMAL'}`)
    db.pragma('foreign_keys = ON')
    db.pragma('busy_timeout = 2000')
    migrate(db, path, migrations)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Runs `work` in one transaction (nested: in a savepoint); it is undone as a whole when `work` throws. */
export function transaction<T>(db: Database, work: () => T): T {
  return db.transaction(work).immediate()
}

/**
 * Runs `work`, whose commit outlives a crash of this process but perhaps not of the machine: nobody was told of it, and what it
 * is about is made good after a reboot without it. Saves the 0.5 ms of an fsync. Not inside a transaction.
 */
export function withoutSync<T>(db: Database, work: () => T): T {
  db.pragma('synchronous = NORMAL')
  try {
    return work()
  } finally {
    db.pragma('synchronous = FULL')
  }
}

function migrate(db: Database, path: string, migrations: readonly Migration[]): void {
  const ordered = [...migrations].sort((a, b) => a.version - b.version)
  const newest = ordered.at(-1)?.version ?? 0
  const present = Number(db.pragma('user_version', { simple: true }))
  if (present > newest) {
    throw new Error(`${path} has schema version ${present}, this program knows ${newest}: it was written by a later version`)
  }
  for (const migration of ordered) {
    if (migration.version <= present) continue
    transaction(db, () => {
      migration.up(db)
      db.pragma(`user_version = ${migration.version}`)
    })
  }
}
