import type { Database, Migration } from '../state/database.ts'

/**
 * A batch is what one cause did for one container in one go; its actions are one JSON text, because they are only ever
 * written and read together. Subjects keep the names of containers that are gone.
 */
const batches: Migration = {
  version: 1,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE subjects (
        container_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        created_ns INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE batches (
        first_sequence INTEGER PRIMARY KEY,
        count INTEGER NOT NULL,
        container_id TEXT NOT NULL,
        exec_id TEXT,
        cause TEXT NOT NULL,
        cause_id TEXT NOT NULL,
        actions TEXT NOT NULL
      ) STRICT;
      CREATE INDEX batches_by_container ON batches (container_id, first_sequence);
    `)
  },
}

export const ledgerMigrations: readonly Migration[] = [batches]
