import { z } from 'zod'
import { Container, type ContainerRecord, type Sandbox } from '../containers/container.ts'
import type { ContainerState } from '../containers/state.ts'
import type { HostConfigView } from '../types/container-config.ts'
import type { Database, Statement } from './database.ts'

const row = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().min(1),
  created_at: z.string(),
  created_ns: z.bigint(),
  image_id: z.string(),
  path: z.string(),
  args: z.string(),
  config: z.string(),
  host_config: z.string(),
  mounts: z.string(),
  endpoints: z.string(),
  layers: z.string(),
  status: z.enum(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']),
  pid: z.bigint().transform(Number),
  start_time: z.string(),
  boot_id: z.string(),
  exit_code: z.bigint().transform(Number),
  error: z.string(),
  oom_killed: z.bigint().transform((value) => value !== 0n),
  started_at: z.string(),
  finished_at: z.string(),
  restart_count: z.bigint().transform(Number),
  manually_stopped: z.bigint().transform((value) => value !== 0n),
  sandbox: z.string(),
})

/** Containers in engine.db. Reading is done once, at the start; from then on it is written only. */
export class ContainersTable {
  readonly #insert: Statement
  readonly #state: Statement
  readonly #endpoints: Statement<[string, string]>
  readonly #rename: Statement<[string, string]>
  readonly #hostConfig: Statement<[string, string]>
  readonly #delete: Statement<[string]>
  readonly #all: Statement<[]>

  constructor(db: Database) {
    this.#insert = db.prepare(`
      INSERT INTO containers (id, name, created_at, created_ns, image_id, path, args, config, host_config, mounts, endpoints, layers, status, started_at, finished_at, sandbox)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    this.#state = db.prepare(`
      UPDATE containers SET status = ?, pid = ?, start_time = ?, boot_id = ?, exit_code = ?, error = ?, oom_killed = ?, started_at = ?, finished_at = ?,
        restart_count = ?, manually_stopped = ?, sandbox = ? WHERE id = ?`)
    this.#endpoints = db.prepare('UPDATE containers SET endpoints = ? WHERE id = ?')
    this.#rename = db.prepare('UPDATE containers SET name = ? WHERE id = ?')
    this.#hostConfig = db.prepare('UPDATE containers SET host_config = ? WHERE id = ?')
    this.#delete = db.prepare('DELETE FROM containers WHERE id = ?')
    this.#all = db.prepare<[]>('SELECT * FROM containers ORDER BY created_ns').safeIntegers()
  }

  /** @throws SqliteError SQLITE_CONSTRAINT_UNIQUE when the name is taken */
  insert(container: Container): void {
    const { record, state } = container
    this.#insert.run(
      record.id, record.name, record.createdAt, record.createdNs, record.imageId, record.path, JSON.stringify(record.args), JSON.stringify(record.config),
      JSON.stringify(record.hostConfig), JSON.stringify(record.mounts), JSON.stringify(record.endpoints), JSON.stringify(record.layers),
      state.status, state.startedAt, state.finishedAt, JSON.stringify(container.sandbox),
    )
  }

  saveState(container: Container): void {
    const { state } = container
    this.#state.run(
      state.status, state.pid, state.startTime, state.bootId, state.exitCode, state.error, state.oomKilled ? 1 : 0, state.startedAt, state.finishedAt,
      state.restartCount, state.manuallyStopped ? 1 : 0, JSON.stringify(container.sandbox), container.id,
    )
  }

  saveEndpoints(container: Container): void {
    this.#endpoints.run(JSON.stringify(container.record.endpoints), container.id)
  }

  /** @throws SqliteError SQLITE_CONSTRAINT_UNIQUE when the name is taken */
  rename(id: string, name: string): void {
    this.#rename.run(name, id)
  }

  saveHostConfig(id: string, host: HostConfigView): void {
    this.#hostConfig.run(JSON.stringify(host), id)
  }

  delete(id: string): void {
    this.#delete.run(id)
  }

  all(): Container[] {
    return this.#all.all().map((raw) => {
      const parsed = row.parse(raw)
      const record: ContainerRecord = {
        id: parsed.id, name: parsed.name, createdAt: parsed.created_at, createdNs: parsed.created_ns, imageId: parsed.image_id, path: parsed.path,
        args: read(parsed.args), config: read(parsed.config), hostConfig: read(parsed.host_config), mounts: read(parsed.mounts),
        endpoints: read(parsed.endpoints), layers: read(parsed.layers),
      }
      const state: ContainerState = {
        status: parsed.status, pid: parsed.pid, startTime: parsed.start_time, bootId: parsed.boot_id, exitCode: parsed.exit_code, error: parsed.error,
        oomKilled: parsed.oom_killed, startedAt: parsed.started_at, finishedAt: parsed.finished_at, restartCount: parsed.restart_count, manuallyStopped: parsed.manually_stopped,
      }
      return new Container(record, state, read<Sandbox>(parsed.sandbox))
    })
  }
}

/** JSON that this file wrote itself, by the types above; its shape is a migration's business. */
function read<T>(json: string): T {
  return JSON.parse(json) as T
}
