import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { now, rfc3339 } from '../clock.ts'
import type { Database } from '../state/database.ts'

const map = z.record(z.string(), z.string())

const pool = z.object({
  /** `172.18.0.0/16` */
  subnet: z.string(),
  range: z.string().optional(),
  gateway: z.string().optional(),
  auxiliary: map.optional(),
  /** Taken from the daemon's pools, because the user named none. */
  chosen: z.boolean().default(false),
})

const settings = z.object({
  enableIPv4: z.boolean().default(true),
  enableIPv6: z.boolean().default(false),
  internal: z.boolean().default(false),
  attachable: z.boolean().default(false),
  configOnly: z.boolean().default(false),
  /** Name of the network that lends its configuration. */
  configFrom: z.string().default(''),
  ipamDriver: z.string().default('default'),
  ipamOptions: map.nullable().default(null),
  pools: z.array(pool).default([]),
  options: map.default({}),
  labels: map.default({}),
  /** Of a bridge network: the name of its bridge, and whether that was there before. */
  bridge: z.string().default(''),
  foreign: z.boolean().default(false),
})

const drivers = ['bridge', 'host', 'null', 'macvlan', 'ipvlan'] as const

const row = z.object({ id: z.string().regex(/^[0-9a-f]{64}$/), name: z.string(), driver: z.enum(drivers), created_at: z.string(), settings: z.string() })

export type NetworkDriver = (typeof drivers)[number]
export type IpamPool = z.infer<typeof pool>

/** What a network was made with, and what was chosen for it then. */
export type NetworkSettings = z.infer<typeof settings>

/** A network as the database keeps it. */
export interface NetworkRecord {
  readonly id: string
  readonly name: string
  readonly driver: NetworkDriver
  readonly createdAt: string
  readonly settings: NetworkSettings
}

/** The networks that every engine has, in Docker's order; made at the first start, and the same ever after. */
const predefined = [['none', 'null'], ['host', 'host'], ['bridge', 'bridge']] as const

/** Whether a network is one of those that every engine has. */
export function isPredefined(name: string): boolean {
  return predefined.some(([known]) => known === name)
}

/** Networks in engine.db. */
export class NetworksTable {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Reads the networks, making the predefined ones when they are missing: those first, the others by their age. */
  load(): NetworkRecord[] {
    const insert = this.#db.prepare('INSERT OR IGNORE INTO networks (id, name, driver, created_at) VALUES (?, ?, ?, ?)')
    for (const [name, driver] of predefined) insert.run(randomBytes(32).toString('hex'), name, driver, rfc3339(now()))
    const rows = this.#db.prepare('SELECT * FROM networks ORDER BY created_at').all().map((raw) => row.parse(raw))
    const place = (name: string): number => (isPredefined(name) ? predefined.findIndex(([known]) => known === name) : predefined.length)
    return rows
      .sort((a, b) => place(a.name) - place(b.name))
      .map(({ id, name, driver, created_at, settings: json }) => ({ id, name, driver, createdAt: created_at, settings: settings.parse(JSON.parse(json)) }))
  }

  /** @throws SqliteError SQLITE_CONSTRAINT_UNIQUE when the name is taken */
  insert({ id, name, driver, createdAt, settings: given }: NetworkRecord): void {
    this.#db.prepare('INSERT INTO networks (id, name, driver, created_at, settings) VALUES (?, ?, ?, ?, ?)').run(id, name, driver, createdAt, JSON.stringify(given))
  }

  delete(id: string): void {
    this.#db.prepare('DELETE FROM networks WHERE id = ?').run(id)
  }
}
