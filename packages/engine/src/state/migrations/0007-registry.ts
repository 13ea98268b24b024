import type { Database, Migration } from '../database.ts'

/**
 * What images have besides their layers' files: manifests, indexes and what belongs to them, as registries gave or took them; blobs
 * that pulls fetch; and where a blob is known to be, so that it need not be sent there or can be mounted from there.
 */
export const migration: Migration = {
  version: 7,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE image_contents (
        image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        manifest TEXT NOT NULL,
        digest TEXT NOT NULL,
        media_type TEXT NOT NULL,
        size INTEGER NOT NULL,
        role TEXT NOT NULL,
        PRIMARY KEY (image_id, manifest, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX image_contents_by_digest ON image_contents (digest);

      CREATE TABLE fetched_blobs (
        digest TEXT PRIMARY KEY,
        fetched_at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE blob_repositories (
        digest TEXT NOT NULL,
        repository TEXT NOT NULL,
        PRIMARY KEY (digest, repository)
      ) STRICT, WITHOUT ROWID;
    `)
  },
}
