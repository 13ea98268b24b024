import type { Database, Migration } from '../database.ts'

/**
 * The build cache again, by what the images are that steps begin from instead of by their ids (older entries are of no use to it), and
 * the directories that steps share.
 */
export const migration: Migration = {
  version: 5,
  up(db: Database): void {
    db.exec(`
      DROP TABLE build_cache;
      CREATE TABLE build_steps (
        key TEXT PRIMARY KEY,
        image_id TEXT NOT NULL,
        parent TEXT NOT NULL,
        instruction TEXT NOT NULL,
        parts TEXT NOT NULL,
        created_at TEXT NOT NULL,
        used_at TEXT NOT NULL,
        uses INTEGER NOT NULL DEFAULT 0
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX build_steps_by_image ON build_steps (image_id);
      CREATE INDEX build_steps_by_parent ON build_steps (parent);
      CREATE INDEX build_steps_by_instruction ON build_steps (instruction);
      CREATE TABLE build_mounts (
        directory TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        created_at TEXT NOT NULL,
        used_at TEXT NOT NULL,
        uses INTEGER NOT NULL DEFAULT 0
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX build_mounts_by_name ON build_mounts (name);
    `)
  },
}
