import { setTracer, type SyscallRecord } from '@engine/linux'
import type { ActionRecord } from '@engine/runtime'
import { z } from 'zod'
import { now } from '../clock.ts'
import { openDatabase, transaction, type Database, type Statement } from '../state/database.ts'
import type { LedgerEntry } from '../types/ledger-entry.ts'
import { subject, type Subject } from './cause.ts'
import { ledgerMigrations } from './migrations.ts'
import { redact } from './redact.ts'

/** Milliseconds between an action and its storing: after the reply, and many at once. */
const delay = 100
/** Actions kept of one container, the newest. */
const perContainer = 10_000
/** Actions kept in all, the newest; about 50 MB. */
const inAll = 400_000
/** Actions of one batch that are kept in memory until it is stored; what is beyond is counted in the last entry. */
const perBatch = 5_000

interface Batch {
  readonly subject: Subject & { readonly container: string }
  readonly actions: ActionRecord[]
  dropped: number
}

const action = z.object({
  call: z.string(),
  args: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  result: z.number(),
  errno: z.string().optional(),
  nanoseconds: z.number(),
  at: z.string(),
  process: z.enum(['engined', 'shim', 'init']),
})
const batchRow = z.object({ first_sequence: z.number(), exec_id: z.string().nullable(), cause: z.string(), cause_id: z.string(), actions: z.string() })

/**
 * The record of kernel actions, by container, in a database file of its own. Actions are taken in at once and stored a moment
 * later, without waiting for the disk: what a crash loses is some last actions, never a client's data.
 */
export class Ledger {
  readonly #db: Database
  readonly #insert: Statement
  readonly #dropContainer: Statement<[string, string, number]>
  readonly #dropOldest: Statement<[number]>
  readonly #name: Statement<[string, string, bigint]>
  readonly #pending = new Map<Subject, Batch>()
  readonly #before: ReturnType<typeof setTracer>
  #timer: NodeJS.Timeout | undefined
  #sequence: number
  #failed: (error: unknown) => void

  /**
   * Opens the ledger and becomes this thread's tracer, until `close`.
   * @param onError told when actions cannot be stored (a full disk); they are then lost, and the engine goes on
   */
  constructor(path: string, onError: (error: unknown) => void) {
    this.#db = openDatabase(path, ledgerMigrations, { durable: false })
    this.#failed = onError
    this.#insert = this.#db.prepare('INSERT INTO batches (first_sequence, count, container_id, exec_id, cause, cause_id, actions) VALUES (?, ?, ?, ?, ?, ?, ?)')
    this.#dropContainer = this.#db.prepare(`
      DELETE FROM batches WHERE container_id = ? AND first_sequence <= (
        SELECT first_sequence FROM (
          SELECT first_sequence, sum(count) OVER (ORDER BY first_sequence DESC) AS newer FROM batches WHERE container_id = ?
        ) WHERE newer > ? ORDER BY first_sequence DESC LIMIT 1)`)
    this.#dropOldest = this.#db.prepare('DELETE FROM batches WHERE first_sequence + count <= ?')
    this.#name = this.#db.prepare('INSERT INTO subjects (container_id, name, created_ns) VALUES (?, ?, ?) ON CONFLICT (container_id) DO UPDATE SET name = excluded.name')
    const last = this.#db.prepare<[], { next: number | null }>('SELECT max(first_sequence + count) AS next FROM batches').get()
    this.#sequence = last?.next ?? 1
    this.#before = setTracer((record) => this.#trace(record))
  }

  /** What engined itself does; without a container in the context it is nobody's story and not kept. */
  #trace(record: SyscallRecord): void {
    const about = subject()
    if (about?.container === undefined) return
    this.#add(about, { ...record, at: now().toString(), process: 'engined' })
  }

  /** Takes in what the shim and the container's init did, as they reported it. */
  add(container: string, records: readonly ActionRecord[], exec?: string): void {
    const about = subject() ?? { cause: { request: 'engine', id: '' } }
    const key = about.container === container && about.exec === exec ? about : exec === undefined ? { ...about, container } : { ...about, container, exec }
    for (const record of records) this.#add(key, record)
  }

  #add(about: Subject, record: ActionRecord): void {
    let batch = this.#pending.get(about)
    if (batch === undefined) {
      batch = { subject: about as Batch['subject'], actions: [], dropped: 0 }
      this.#pending.set(about, batch)
      this.#timer ??= setTimeout(() => this.flush(), delay).unref()
    }
    if (batch.actions.length < perBatch) batch.actions.push(record)
    else batch.dropped++
  }

  /** Remembers a container's name, so that it can be explained by it when it is gone. */
  name(container: string, name: string, createdNs: bigint): void {
    try {
      this.#name.run(container, name, createdNs)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Stores what is pending. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#pending.size === 0) return
    const batches = [...this.#pending.values()]
    this.#pending.clear()
    try {
      transaction(this.#db, () => {
        for (const batch of batches) this.#store(batch)
        this.#dropOldest.run(this.#sequence - inAll)
      })
    } catch (error) {
      this.#failed(error)
    }
  }

  #store(batch: Batch): void {
    const { cause, container, exec } = batch.subject
    const actions = batch.actions.map((record) => {
      const args = redact(record.args)
      return args === record.args ? record : { ...record, args }
    })
    // Reports of the shim come after what engined did meanwhile; the story is told by the clock.
    if (actions.some((record, i) => i > 0 && isBefore(record.at, (actions[i - 1] as ActionRecord).at))) {
      actions.sort((a, b) => (isBefore(a.at, b.at) ? -1 : isBefore(b.at, a.at) ? 1 : 0))
    }
    if (batch.dropped > 0) {
      const last = actions.at(-1) as ActionRecord
      actions.push({ call: 'further actions', args: { count: batch.dropped }, result: 0, nanoseconds: 0, at: last.at, process: last.process })
    }
    this.#insert.run(this.#sequence, actions.length, container, exec ?? null, cause.request, cause.id, JSON.stringify(actions))
    this.#sequence += actions.length
    this.#dropContainer.run(container, container, perContainer)
  }

  /** The id of a container that may be gone, by id, name (the newest of that name) or beginning of the id. */
  find(ref: string): string | undefined {
    const name = ref.startsWith('/') ? ref.slice(1) : ref
    const exact = this.#db
      .prepare<{ ref: string; name: string }, { container_id: string }>(
        'SELECT container_id FROM subjects WHERE container_id = @ref OR name = @name ORDER BY container_id = @ref DESC, created_ns DESC LIMIT 1',
      )
      .get({ ref, name })
    if (exact !== undefined) return exact.container_id
    if (!/^[0-9a-f]{1,64}$/.test(ref)) return undefined
    const found = this.#db
      .prepare<[string, string], { container_id: string }>('SELECT container_id FROM subjects WHERE container_id >= ? AND container_id < ? LIMIT 2')
      .all(ref, `${ref}g`)
    return found.length === 1 ? found[0]?.container_id : undefined
  }

  /** Everything stored of a container, oldest first. */
  entries(container: string): LedgerEntry[] {
    this.flush()
    const rows = this.#db.prepare<[string]>('SELECT first_sequence, exec_id, cause, cause_id, actions FROM batches WHERE container_id = ? ORDER BY first_sequence').all(container)
    return rows.flatMap((raw) => {
      const row = batchRow.parse(raw)
      return z.array(action).parse(JSON.parse(row.actions)).map((record, i): LedgerEntry => ({
        Sequence: row.first_sequence + i,
        At: record.at,
        ContainerID: container,
        ...(row.exec_id === null ? {} : { ExecID: row.exec_id }),
        Process: record.process,
        Cause: row.cause,
        CauseID: row.cause_id,
        Call: record.call,
        Args: record.args,
        Result: record.result,
        ...(record.errno === undefined ? {} : { Errno: record.errno }),
        Nanoseconds: record.nanoseconds,
      }))
    })
  }

  /** Stores what is pending and lets the tracer before come back. */
  close(): void {
    setTracer(this.#before)
    this.flush()
    this.#db.close()
  }
}

/** Decimal texts by the numbers that they are. */
function isBefore(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length
}
