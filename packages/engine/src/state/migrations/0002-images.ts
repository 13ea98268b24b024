import type { Database, Migration } from '../database.ts'

/**
 * Images, their names, the layers under overlay2/, and volumes. An image's configuration is kept as the very bytes that its ID is
 * the digest of. A layer's row exists as long as an image or a container needs it.
 */
export const migration: Migration = {
  version: 2,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE layers (
        id TEXT PRIMARY KEY,
        diff_id TEXT NOT NULL,
        size INTEGER NOT NULL,
        tar_size INTEGER NOT NULL,
        blob TEXT,
        blob_size INTEGER,
        compression TEXT
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE images (
        id TEXT PRIMARY KEY,
        config BLOB NOT NULL,
        parent TEXT NOT NULL,
        last_tag_time TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX images_by_parent ON images (parent);

      CREATE TABLE image_layers (
        image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        layer_id TEXT NOT NULL REFERENCES layers (id),
        PRIMARY KEY (image_id, position)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX image_layers_by_layer ON image_layers (layer_id);

      CREATE TABLE image_names (
        name TEXT PRIMARY KEY,
        image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX image_names_by_image ON image_names (image_id);

      CREATE TABLE volumes (
        name TEXT PRIMARY KEY,
        created_at TEXT NOT NULL,
        labels TEXT,
        anonymous INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
    `)
  },
}
