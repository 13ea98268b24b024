import type { Database, Migration } from '../database.ts'

/** Projects of the file system that hold containers' writable layers and volumes to a size. `owner` is `container ID` or `volume NAME`. */
export const migration: Migration = {
  version: 10,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE project_quotas (
        project INTEGER PRIMARY KEY,
        owner TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL
      ) STRICT;
    `)
  },
}
