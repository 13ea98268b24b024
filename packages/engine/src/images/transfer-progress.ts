import type { Progress } from '../interface.ts'

/** One line of a pull or push as Docker's daemon words it: `{"status":"Pull complete","progressDetail":{},"id":"…"}`. @param id '' is of nothing */
export function statusLine(id: string, status: string): Progress {
  return { status, progressDetail: {}, ...(id === '' ? {} : { id }) }
}

/** A line with a bar (moby pkg/jsonmessage and pkg/streamformatter). @param total 0 when it is not known */
export function barLine(id: string, status: string, current: number, total: number): Progress {
  if (current <= 0 && total <= 0) return statusLine(id, status)
  const progressDetail = { ...(current > 0 ? { current } : {}), ...(total > 0 ? { total } : {}) }
  return { status, progressDetail, progress: progressBar(current, total), ...(id === '' ? {} : { id }) }
}

/** `[=====>     ]  1.049MB/3.147MB` */
export function progressBar(current: number, total: number): string {
  if (total <= 0) return humanSize(current).padStart(8)
  const percentage = Math.min(50, Math.floor(Math.floor((current / total) * 100) / 2))
  const numbers = `${humanSize(current).padStart(8)}${current > total ? '' : `/${humanSize(total)}`}`
  return `[${'='.repeat(percentage)}>${' '.repeat(50 - percentage)}] ${numbers}`
}

/** Bytes as go-units' HumanSize has them: powers of 1000, four digits. */
export function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let size = bytes
  let unit = 0
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000
  return `${Number(size.toPrecision(4))}${units[unit]}`
}

/** Milliseconds between two lines of a bar; more than that nobody sees. */
const interval = 100

/**
 * Lines that several tasks write and one client reads. Of a bar that moves faster than the client reads, only the last line is kept.
 */
export class ProgressQueue {
  #lines: { readonly line: Progress; readonly bar: string | undefined }[] = []
  readonly #shown = new Map<string, number>()
  #wake: (() => void) | undefined
  #ended = false

  push(line: Progress): void {
    this.#add({ line, bar: undefined })
  }

  /** A bar's line, unless the last one of it is too fresh; the last one, that it is full, always. */
  bar(id: string, status: string, current: number, total: number): void {
    const bar = `${id} ${status}`
    const now = performance.now()
    if (current < total && now - (this.#shown.get(bar) ?? -interval) < interval) return
    this.#shown.set(bar, now)
    this.#lines = this.#lines.filter((other) => other.bar !== bar)
    this.#add({ line: barLine(id, status, current, total), bar })
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, undefined> {
    for (;;) {
      const next = this.#lines.shift()
      if (next !== undefined) yield next.line
      else if (this.#ended) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #add(entry: { readonly line: Progress; readonly bar: string | undefined }): void {
    this.#lines.push(entry)
    this.#wake?.()
  }
}

/**
 * Runs a task that reports into a queue, and yields what it reports. What the task throws comes after its lines.
 * A client that goes away ends the task by `signal`, and is waited for: the task has cleaned up when this returns.
 */
export async function* reporting(signal: AbortSignal, task: (queue: ProgressQueue, signal: AbortSignal) => Promise<void>): AsyncGenerator<Progress, void, undefined> {
  const queue = new ProgressQueue()
  const gone = new AbortController()
  const work = task(queue, AbortSignal.any([signal, gone.signal])).finally(() => queue.end())
  // Met below; not to be taken as unhandled before.
  work.catch(() => undefined)
  try {
    yield* queue
    await work
  } finally {
    gone.abort()
    await work.catch(() => undefined)
  }
}
