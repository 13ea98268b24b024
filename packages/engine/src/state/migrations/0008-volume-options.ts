import type { Database, Migration } from '../database.ts'

/** What a volume was made with besides its labels: `type`, `device` and `o` of driver local. */
export const migration: Migration = {
  version: 8,
  up(db: Database): void {
    db.exec('ALTER TABLE volumes ADD COLUMN options TEXT')
  },
}
