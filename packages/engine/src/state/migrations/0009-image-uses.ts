import type { Database, Migration } from '../database.ts'

/** When an image was last of use, in milliseconds since the epoch: what goes first when images have a budget. */
export const migration: Migration = {
  version: 9,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE image_uses (
        image_id TEXT PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
        used_at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      INSERT INTO image_uses SELECT id, unixepoch() * 1000 FROM images;
    `)
  },
}
