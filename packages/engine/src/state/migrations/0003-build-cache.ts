import type { Database, Migration } from '../database.ts'

/** Which image a build step made, by the step's key. The parts of the key are kept to tell why a later build missed it. */
export const migration: Migration = {
  version: 3,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE build_cache (
        key TEXT PRIMARY KEY,
        image_id TEXT NOT NULL,
        parent_id TEXT NOT NULL,
        instruction TEXT NOT NULL,
        parts TEXT NOT NULL,
        created_at TEXT NOT NULL,
        used_at TEXT NOT NULL,
        uses INTEGER NOT NULL DEFAULT 0
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX build_cache_by_image ON build_cache (image_id);
      CREATE INDEX build_cache_by_parent ON build_cache (parent_id);
    `)
  },
}
