import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { now, rfc3339 } from '../clock.ts'
import type { Database } from '../state/database.ts'

const row = z.object({ id: z.string().regex(/^[0-9a-f]{64}$/), name: z.string(), driver: z.enum(['bridge', 'host', 'null']), created_at: z.string() })

/** A network as the database keeps it. */
export interface NetworkRecord {
  readonly id: string
  readonly name: string
  readonly driver: 'bridge' | 'host' | 'null'
  readonly createdAt: string
}

/** The networks that every engine has, in Docker's order; made at the first start, and the same ever after. */
const predefined = [['none', 'null'], ['host', 'host'], ['bridge', 'bridge']] as const

/** Reads the networks, making the predefined ones when they are missing. */
export function loadNetworks(db: Database): NetworkRecord[] {
  const insert = db.prepare('INSERT OR IGNORE INTO networks (id, name, driver, created_at) VALUES (?, ?, ?, ?)')
  for (const [name, driver] of predefined) insert.run(randomBytes(32).toString('hex'), name, driver, rfc3339(now()))
  const rows = db.prepare('SELECT * FROM networks').all().map((raw) => row.parse(raw))
  const place = (name: string): number => predefined.findIndex(([known]) => known === name)
  return rows.sort((a, b) => place(a.name) - place(b.name)).map(({ id, name, driver, created_at }) => ({ id, name, driver, createdAt: created_at }))
}
