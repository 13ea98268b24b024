import type { Database, Migration } from '../database.ts'

/** What health checks have found, as JSON. */
export const migration: Migration = {
  version: 6,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE health (
        container_id TEXT PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
        health       TEXT NOT NULL
      ) STRICT;
    `)
  },
}
