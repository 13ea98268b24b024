import type { Database, Migration } from '../database.ts'

/**
 * Networks of a user's own, with what they were made with as JSON; and places of a container on several networks, where there
 * was one before.
 */
export const migration: Migration = {
  version: 4,
  up(db: Database): void {
    db.exec(`
      ALTER TABLE networks ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

      UPDATE containers SET sandbox = json_remove(json_set(sandbox, '$.endpoints', json_array(json_patch(
        '{"prefix6":0,"gateway6":""}', json_extract(sandbox, '$.endpoint')
      ))), '$.endpoint') WHERE json_type(sandbox, '$.endpoint') = 'object';
      UPDATE containers SET sandbox = json_set(sandbox, '$.endpoints', json_array()) WHERE json_type(sandbox, '$.endpoints') IS NULL;
    `)
  },
}
