import { EngineError } from '@engine/linux'
import { now } from '../clock.ts'
import type { Filters } from '../interface.ts'
import type { EngineEvent, EventType } from '../types/event.ts'
import type { EventFile } from './event-file.ts'
import { passes } from './filter.ts'

/** How many events are remembered for clients that ask for the past; Docker keeps 256. */
export const remembered = 1024
/** A client that reads slower than this many events behind is dropped from, oldest first, so that it cannot fill the memory. */
const longestQueue = 16_384

interface Listener {
  offer(event: EngineEvent): void
}

export interface EventRange {
  /** Nanoseconds since the epoch. */
  readonly since?: bigint | undefined
  readonly until?: bigint | undefined
  readonly filters: Filters
}

/** What happened to containers, images, networks and volumes: the last ones, and live ones to whoever listens. */
export class Events {
  readonly #past: EngineEvent[]
  readonly #file: Pick<EventFile, 'past' | 'append'> | undefined
  readonly #listeners = new Set<Listener>()

  /** @param file keeps them over the daemon's end */
  constructor(file?: Pick<EventFile, 'past' | 'append'>) {
    this.#file = file
    this.#past = [...(file?.past ?? [])]
  }

  /** How many clients are listening; `NEventsListener` of GET /info. */
  get listeners(): number {
    return this.#listeners.size
  }

  /** Tells everybody. Attributes are sorted, as Go's maps come out. */
  publish(type: EventType, action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    const at = now()
    const sorted = Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
    const from = type === 'container' ? attributes['image'] : undefined
    const event: EngineEvent = {
      ...(type === 'container' || type === 'image' ? { status: action, id } : {}),
      ...(from ? { from } : {}),
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: sorted },
      scope: 'local',
      time: Number(at / 1_000_000_000n),
      timeNano: at,
    }
    this.#past.push(event)
    this.#file?.append(event)
    if (this.#past.length > remembered * 2) this.#past.splice(0, this.#past.length - remembered)
    for (const listener of this.#listeners) listener.offer(event)
  }

  /**
   * Past events from `since` on (only when a time is given), then live ones until `until`, or until the signal.
   * Listening begins with the call, not with the first read.
   * @throws EngineError invalid-argument when `since` is after `until`
   */
  stream(range: EventRange, signal: AbortSignal): AsyncIterable<EngineEvent> {
    const { since, until, filters } = range
    if (since !== undefined && until !== undefined && since > until) {
      throw new EngineError('invalid-argument', `\`since\` time (${since / 1_000_000_000n}) cannot be after \`until\` time (${until / 1_000_000_000n})`)
    }
    const queue: EngineEvent[] = []
    if (since !== undefined || until !== undefined) {
      for (const event of this.#past.slice(-remembered)) {
        if ((since === undefined || event.timeNano >= since) && (until === undefined || event.timeNano <= until) && passes(filters, event)) queue.push(event)
      }
    }
    let wake = (): void => undefined
    const listener: Listener = {
      offer(event) {
        if (!passes(filters, event)) return
        if (queue.length >= longestQueue) queue.shift()
        queue.push(event)
        wake()
      },
    }
    const remaining = until === undefined ? undefined : Number((until - now()) / 1_000_000n)
    const live = (remaining === undefined || remaining > 0) && !signal.aborted
    if (live) this.#listeners.add(listener)
    let ended = !live
    const end = (): void => {
      ended = true
      this.#listeners.delete(listener)
      wake()
    }
    const timer = live && remaining !== undefined ? setTimeout(end, Math.min(remaining, 2_147_483_647)) : undefined
    if (live) signal.addEventListener('abort', end, { once: true })
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      end()
    }
    return {
      async *[Symbol.asyncIterator]() {
        try {
          while (true) {
            let event = queue.shift()
            while (event !== undefined) {
              yield event
              event = signal.aborted ? undefined : queue.shift()
            }
            if (ended) return
            await new Promise<void>((resolve) => {
              wake = resolve
            })
          }
        } finally {
          finish()
        }
      },
    }
  }
}
