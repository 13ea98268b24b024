import { z } from 'zod'
import type { Health } from '../health/health.ts'
import { withoutSync, type Database, type Statement } from './database.ts'

const health = z.object({
  status: z.enum(['starting', 'healthy', 'unhealthy']),
  failingStreak: z.number(),
  log: z.array(z.object({ start: z.string(), end: z.string(), exitCode: z.number(), output: z.string() })),
})
const row = z.object({ container_id: z.string(), health: z.string() })

/** What health checks have found, in engine.db: one row for each container that has been checked. They go with their container. */
export class HealthTable {
  readonly #db: Database
  readonly #save: Statement<[string, string]>

  constructor(db: Database) {
    this.#db = db
    this.#save = db.prepare('INSERT INTO health (container_id, health) VALUES (?, ?) ON CONFLICT (container_id) DO UPDATE SET health = excluded.health')
  }

  all(): Map<string, Health> {
    return new Map(this.#db.prepare('SELECT container_id, health FROM health').all().map((raw) => {
      const parsed = row.parse(raw)
      return [parsed.container_id, health.parse(JSON.parse(parsed.health))]
    }))
  }

  /** A reboot may lose the last results: after one the container is starting anew. */
  save(container: string, found: Health): void {
    const write = (): unknown => this.#save.run(container, JSON.stringify(found))
    if (this.#db.inTransaction) write()
    else withoutSync(this.#db, write)
  }
}
