import { z } from 'zod'
import type { Database, Statement } from './database.ts'

const row = z.object({
  name: z.string().min(1),
  created_at: z.string(),
  labels: z.string().nullable(),
  options: z.string().nullable(),
  anonymous: z.number().transform((value) => value !== 0),
})

/** A volume in engine.db; its files are in volumes/<name>/_data. */
export interface VolumeRow {
  readonly name: string
  /** RFC 3339, whole seconds. */
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>> | null
  /** Of driver local: type, device, o; null without. */
  readonly options: Readonly<Record<string, string>> | null
  /** Made without a name: it goes with its container. */
  readonly anonymous: boolean
}

/** Volumes in engine.db. */
export class VolumesTable {
  readonly #insert: Statement
  readonly #delete: Statement<[string]>
  readonly #rename: Statement<[string, string]>
  readonly #get: Statement<[string]>
  readonly #all: Statement<[]>

  constructor(db: Database) {
    this.#insert = db.prepare('INSERT INTO volumes (name, created_at, labels, options, anonymous) VALUES (?, ?, ?, ?, ?)')
    this.#delete = db.prepare('DELETE FROM volumes WHERE name = ?')
    this.#rename = db.prepare('UPDATE volumes SET name = ?, anonymous = 0 WHERE name = ?')
    this.#get = db.prepare('SELECT * FROM volumes WHERE name = ?')
    this.#all = db.prepare('SELECT * FROM volumes ORDER BY name')
  }

  /** @throws SqliteError SQLITE_CONSTRAINT_PRIMARYKEY when there is one of the name */
  insert({ name, createdAt, labels, options, anonymous }: VolumeRow): void {
    this.#insert.run(name, createdAt, json(labels), json(options), anonymous ? 1 : 0)
  }

  delete(name: string): void {
    this.#delete.run(name)
  }

  /** @throws SqliteError SQLITE_CONSTRAINT_PRIMARYKEY when there is one of the new name */
  rename(from: string, to: string): void {
    this.#rename.run(to, from)
  }

  get(name: string): VolumeRow | undefined {
    const found = this.#get.get(name)
    return found === undefined ? undefined : read(found)
  }

  /** All volumes, by name. */
  all(): VolumeRow[] {
    return this.#all.all().map(read)
  }
}

const map = z.record(z.string(), z.string())

function read(raw: unknown): VolumeRow {
  const { name, created_at: createdAt, labels, options, anonymous } = row.parse(raw)
  return { name, createdAt, labels: labels === null ? null : map.parse(JSON.parse(labels)), options: options === null ? null : map.parse(JSON.parse(options)), anonymous }
}

function json(value: Readonly<Record<string, string>> | null): string | null {
  return value === null ? null : JSON.stringify(value)
}
