import { closeSync, existsSync, fstatSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { z } from 'zod'
import type { EngineEvent } from '../types/event.ts'

/** Bytes at which the file is written anew with the newest events only. */
const longest = 4 << 20

const Line = z.object({
  status: z.string().optional(),
  id: z.string().optional(),
  from: z.string().optional(),
  Type: z.enum(['builder', 'container', 'daemon', 'image', 'network', 'volume']),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
  scope: z.literal('local'),
  time: z.number(),
  timeNano: z.string().regex(/^\d+$/).transform(BigInt),
})

/**
 * The newest events on the disk, a line of JSON each, so that clients who ask for the past get it also after the daemon was away.
 * What is published together is written together, before a client can hear of it otherwise.
 */
export class EventFile implements Disposable {
  readonly #path: string
  readonly #keep: number
  readonly #onError: (error: unknown) => void
  #fd: number
  #size: number
  #newest: EngineEvent[]
  #waiting: string[] = []

  /**
   * @param keep how many events are kept at least
   * @param onError told when the disk takes no more; events are then only in memory
   */
  constructor(path: string, keep: number, onError: (error: unknown) => void) {
    this.#path = path
    this.#keep = keep
    this.#onError = onError
    this.#newest = read(path).slice(-keep)
    this.#fd = openSync(path, 'a', 0o600)
    this.#size = fstatSync(this.#fd).size
    // A line that a crash has torn ends here.
    if (this.#size > 0) this.#write('\n')
  }

  /** The events of before, oldest first. */
  get past(): readonly EngineEvent[] {
    return this.#newest
  }

  append(event: EngineEvent): void {
    this.#newest.push(event)
    if (this.#newest.length > this.#keep * 2) this.#newest = this.#newest.slice(-this.#keep)
    // Before any answer goes out that tells a client the same.
    if (this.#waiting.push(line(event)) === 1) queueMicrotask(() => this.#flush())
  }

  [Symbol.dispose](): void {
    this.#flush()
    closeSync(this.#fd)
    this.#fd = -1
  }

  #flush(): void {
    if (this.#fd < 0 || this.#waiting.length === 0) return
    this.#write(this.#waiting.splice(0).join(''))
    if (this.#size > longest) this.#renew()
  }

  #write(text: string): void {
    try {
      this.#size += writeSync(this.#fd, text)
    } catch (error) {
      this.#onError(error)
    }
  }

  #renew(): void {
    try {
      writeFileSync(`${this.#path}.new`, this.#newest.slice(-this.#keep).map(line).join(''), { mode: 0o600 })
      renameSync(`${this.#path}.new`, this.#path)
      closeSync(this.#fd)
      this.#fd = openSync(this.#path, 'a', 0o600)
      this.#size = fstatSync(this.#fd).size
    } catch (error) {
      this.#onError(error)
    }
  }
}

function line(event: EngineEvent): string {
  return `${JSON.stringify({ ...event, timeNano: String(event.timeNano) })}\n`
}

function read(path: string): EngineEvent[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').flatMap((text): EngineEvent[] => {
    if (text === '') return []
    try {
      const { status, id, from, ...rest } = Line.parse(JSON.parse(text))
      return [{ ...(status === undefined ? {} : { status }), ...(id === undefined ? {} : { id }), ...(from === undefined ? {} : { from }), ...rest }]
    } catch {
      // Torn by a crash, or of another version: the rest is still good.
      return []
    }
  })
}
