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
/** Actions kept in all, the newest; some 200 bytes each, so about 50 MB. */
const inAll = 250_000
/** Actions of one batch that are kept in memory until it is stored; what is beyond is counted in the last entry. */
const perBatch = 5_000

interface Batch {
  readonly subject: Subject & { readonly container: string }
  readonly actions: ActionRecord[]
  dropped: number
}

/** An action as it is stored, without names: there are hundreds of a start. `errno` is '' when it did not fail. */
const action = z.tuple([
  z.string(), // call
  z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])), // args
  z.number(), // result
  z.string(), // errno
  z.number(), // nanoseconds
  z.string(), // at
  z.enum(['engined', 'shim', 'init']),
])
type StoredAction = z.infer<typeof action>

const batchRow = z.object({ first_sequence: z.number(), exec_id: z.string().nullable(), cause: z.string(), cause_id: z.string(), actions: z.string() })

/**
 * The record of kernel actions, by container, in a database file of its own. Actions are taken in at once and stored a moment
 * later, without waiting for the disk: what a crash loses is some last actions, never a client's data.
 */
export class Ledger {
  /** Nothing is recorded; what was before can still be read. */
  readonly off: boolean
  readonly #db: Database
  readonly #insert: Statement
  readonly #dropContainer: Statement<[string, string, number]>
  readonly #dropOldest: Statement<[number]>
  readonly #name: Statement<[string, string, bigint]>
  readonly #pending = new Map<Subject, Batch>()
  readonly #before: ReturnType<typeof setTracer>
  #timer: NodeJS.Timeout | undefined
  #sequence: number
  /** Actions stored of a container since it was last cut to its share. */
  readonly #grown = new Map<string, number>()
  #nextSweep = 0
  #failed: (error: unknown) => void

  /**
   * Opens the ledger and becomes this thread's tracer, until `close`.
   * @param off nothing is recorded
   * @param onError told when actions cannot be stored (a full disk); they are then lost, and the engine goes on
   */
  constructor(path: string, onError: (error: unknown) => void, off = false) {
    this.off = off
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
    this.#before = setTracer(off ? undefined : Object.assign((record: SyscallRecord) => this.#trace(record), { wanted: () => subject()?.container !== undefined }))
  }

  /** What engined itself does; without a container in the context it is nobody's story and not kept. */
  #trace(record: SyscallRecord): void {
    const about = subject()
    if (about?.container === undefined) return
    // The record was made for this call: it is completed, not copied.
    this.#add(about, Object.assign(record, { at: now().toString(), process: 'engined' as const }))
  }

  /** Takes in what the shim and the container's init did, as they reported it. */
  add(container: string, records: readonly ActionRecord[], exec?: string): void {
    if (this.off) return
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
        this.#dropOld()
      })
    } catch (error) {
      this.#failed(error)
    }
  }

  #store(batch: Batch): void {
    const { cause, container, exec } = batch.subject
    const { actions } = batch
    // Reports of the shim come after what engined did meanwhile; the story is told by the clock.
    if (actions.some((record, i) => i > 0 && isBefore(record.at, (actions[i - 1] as ActionRecord).at))) {
      actions.sort((a, b) => (isBefore(a.at, b.at) ? -1 : isBefore(b.at, a.at) ? 1 : 0))
    }
    const stored = actions.map(({ call, args, result, errno = '', nanoseconds, at, process }): StoredAction => [call, redact(args), result, errno, nanoseconds, at, process])
    const last = actions.at(-1)
    if (batch.dropped > 0 && last !== undefined) stored.push(['further actions', { count: batch.dropped }, 0, '', 0, last.at, last.process])
    this.#insert.run(this.#sequence, stored.length, container, exec ?? null, cause.request, cause.id, JSON.stringify(stored))
    this.#sequence += stored.length
    this.#grown.set(container, (this.#grown.get(container) ?? 0) + stored.length)
  }

  /** Keeps to the caps. A container is looked at when it may be over its own; all of them once in a while. */
  #dropOld(): void {
    for (const [container, added] of this.#grown) {
      if (added < perContainer / 10) continue
      this.#dropContainer.run(container, container, perContainer)
      this.#grown.delete(container)
    }
    if (this.#sequence < this.#nextSweep) return
    this.#dropOldest.run(this.#sequence - inAll)
    // What is not remembered here stays below its cap by the one for all.
    this.#grown.clear()
    this.#nextSweep = this.#sequence + inAll / 100
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
      return z.array(action).parse(JSON.parse(row.actions)).map(([call, args, result, errno, nanoseconds, at, process], i): LedgerEntry => ({
        Sequence: row.first_sequence + i,
        At: at,
        ContainerID: container,
        ...(row.exec_id === null ? {} : { ExecID: row.exec_id }),
        Process: process,
        Cause: row.cause,
        CauseID: row.cause_id,
        Call: call,
        Args: args,
        Result: result,
        ...(errno === '' ? {} : { Errno: errno }),
        Nanoseconds: nanoseconds,
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
