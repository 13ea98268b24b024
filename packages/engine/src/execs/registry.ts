import { EngineError } from '@engine/linux'
import { z } from 'zod'
import type { CreateExec } from '../interface.ts'
import type { Database, Statement } from '../state/database.ts'

/** One exec: a process to be run, running or run in a container. */
export interface Exec {
  readonly id: string
  readonly container: string
  readonly config: CreateExec
  /** In memory only, until it has ended: a health check's. What is found running of it after a crash is ended. */
  readonly transient: boolean
  status: 'created' | 'running' | 'exited'
  /** Host pid; 0 unless it is running. */
  pid: number
  startTime: string
  /** null until it has ended. */
  exitCode: number | null
  /** Wakes who waits for it to run, or to have failed to. */
  readonly started: PromiseWithResolvers<void>
  /** Wakes who waits for its end. */
  readonly ended: PromiseWithResolvers<void>
}

const row = z.object({
  id: z.string(),
  container_id: z.string(),
  config: z.string(),
  status: z.enum(['created', 'running', 'exited']),
  pid: z.number(),
  start_time: z.string(),
  exit_code: z.number().nullable(),
})

/** Ended execs that are remembered of one container: some clients make one every few seconds. */
const remembered = 64

/** All execs of all containers. They go with their container. */
export class ExecRegistry {
  readonly #byId = new Map<string, Exec>()
  readonly #insert: Statement<[string, string, string, string]>
  readonly #update: Statement<[string, number, string, number | null, string]>
  readonly #delete: Statement<[string]>

  constructor(db: Database) {
    this.#insert = db.prepare('INSERT INTO execs (id, container_id, config, status) VALUES (?, ?, ?, ?)')
    this.#update = db.prepare('UPDATE execs SET status = ?, pid = ?, start_time = ?, exit_code = ? WHERE id = ?')
    this.#delete = db.prepare('DELETE FROM execs WHERE id = ?')
    for (const raw of db.prepare('SELECT * FROM execs').all()) {
      const { id, container_id, config, status, pid, start_time, exit_code } = row.parse(raw)
      const exec: Exec = { id, container: container_id, config: JSON.parse(config) as CreateExec, transient: false, status, pid, startTime: start_time, exitCode: exit_code, started: Promise.withResolvers(), ended: Promise.withResolvers() }
      if (status !== 'created') exec.started.resolve()
      if (status === 'exited') exec.ended.resolve()
      this.#byId.set(id, exec)
    }
  }

  create(id: string, container: string, config: CreateExec, transient = false): Exec {
    const exec: Exec = { id, container, config, transient, status: 'created', pid: 0, startTime: '', exitCode: null, started: Promise.withResolvers(), ended: Promise.withResolvers() }
    if (!transient) this.#insert.run(id, container, JSON.stringify(config), exec.status)
    this.#byId.set(id, exec)
    this.#forgetOld(container)
    return exec
  }

  /** @throws EngineError not-found `No such exec instance: x` */
  find(id: string): Exec {
    const exec = this.#byId.get(id)
    if (exec === undefined) throw new EngineError('not-found', `No such exec instance: ${id}`)
    return exec
  }

  get(id: string): Exec | undefined {
    return this.#byId.get(id)
  }

  save(exec: Exec): void {
    if (!exec.transient) this.#update.run(exec.status, exec.pid, exec.startTime, exec.exitCode, exec.id)
  }

  ofContainer(container: string): Exec[] {
    return [...this.#byId.values()].filter((exec) => exec.container === container)
  }

  /** Forgets an exec that has ended. */
  forget(exec: Exec): void {
    if (!exec.transient) this.#delete.run(exec.id)
    this.#byId.delete(exec.id)
  }

  /** Forgets a container's execs; the database does it with the container. */
  forgetContainer(container: string): void {
    for (const exec of this.ofContainer(container)) this.#byId.delete(exec.id)
  }

  #forgetOld(container: string): void {
    const ended = this.ofContainer(container).filter(({ status }) => status === 'exited')
    for (const exec of ended.slice(0, Math.max(0, ended.length - remembered))) this.forget(exec)
  }
}
