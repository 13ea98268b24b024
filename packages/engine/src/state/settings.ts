import type { Database } from './database.ts'

/** A setting of the engine's own: made by `make` the first time it is asked for, and the same ever after. */
export function setting(db: Database, key: string, make: () => string): string {
  const row = db.prepare<[string], { value: string }>('SELECT value FROM settings WHERE key = ?').get(key)
  if (row !== undefined) return row.value
  const value = make()
  db.prepare('INSERT INTO settings (key, value) VALUES (?, ?)').run(key, value)
  return value
}
