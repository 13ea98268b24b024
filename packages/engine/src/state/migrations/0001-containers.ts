import type { Database, Migration } from '../database.ts'

/**
 * Containers, execs, networks and intents. What a client gave is kept as JSON in Docker's shape; what changes while a
 * container lives has columns of its own.
 */
export const migration: Migration = {
  version: 1,
  up(db: Database): void {
    db.exec(`
      CREATE TABLE settings (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE containers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        created_at TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        image_id TEXT NOT NULL,
        path TEXT NOT NULL,
        args TEXT NOT NULL,
        config TEXT NOT NULL,
        host_config TEXT NOT NULL,
        mounts TEXT NOT NULL,
        endpoints TEXT NOT NULL,
        layers TEXT NOT NULL,
        status TEXT NOT NULL,
        pid INTEGER NOT NULL DEFAULT 0,
        start_time TEXT NOT NULL DEFAULT '',
        boot_id TEXT NOT NULL DEFAULT '',
        exit_code INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        oom_killed INTEGER NOT NULL DEFAULT 0,
        started_at TEXT NOT NULL,
        finished_at TEXT NOT NULL,
        restart_count INTEGER NOT NULL DEFAULT 0,
        manually_stopped INTEGER NOT NULL DEFAULT 0,
        sandbox TEXT NOT NULL DEFAULT '{}'
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE execs (
        id TEXT PRIMARY KEY,
        container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
        config TEXT NOT NULL,
        status TEXT NOT NULL,
        pid INTEGER NOT NULL DEFAULT 0,
        start_time TEXT NOT NULL DEFAULT '',
        exit_code INTEGER
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX execs_by_container ON execs (container_id);

      CREATE TABLE networks (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        driver TEXT NOT NULL,
        created_at TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE intents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        operation TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL,
        begun_at TEXT NOT NULL
      ) STRICT;
    `)
  },
}
