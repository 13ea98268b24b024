import { EngineError } from '@engine/linux'

interface Running<R, P> {
  readonly result: Promise<R>
  readonly watchers: Set<(progress: P) => void>
  readonly cancel: AbortController
  last: P | undefined
}

/** Work that several clients want at the same time and that is done once. It is cancelled when nobody wants it any more. */
export class SharedWork<R, P> {
  readonly #running = new Map<string, Running<R, P>>()

  /** The work of that name, for one who waits for it without having a say in whether it goes on. */
  result(key: string): Promise<R> | undefined {
    return this.#running.get(key)?.result
  }

  /**
   * Joins the work of that name, or begins it. One who joins hears first how far it is.
   * @param signal takes this client out; the work goes on for the others
   * @throws what the work throws; EngineError cancelled by `signal`
   */
  async run(key: string, signal: AbortSignal, onProgress: (progress: P) => void, work: (signal: AbortSignal, report: (progress: P) => void) => Promise<R>): Promise<R> {
    if (signal.aborted) throw cancelled()
    const running = this.#running.get(key) ?? this.#begin(key, work)
    running.watchers.add(onProgress)
    if (running.last !== undefined) onProgress(running.last)
    let leave: (() => void) | undefined
    const gone = new Promise<never>((_, reject) => {
      leave = () => reject(cancelled())
      signal.addEventListener('abort', leave, { once: true })
    })
    try {
      return await Promise.race([running.result, gone])
    } finally {
      if (leave !== undefined) signal.removeEventListener('abort', leave)
      running.watchers.delete(onProgress)
      if (running.watchers.size === 0) {
        // Whoever comes from now on begins it anew.
        if (this.#running.get(key) === running) this.#running.delete(key)
        running.cancel.abort()
      }
    }
  }

  #begin(key: string, work: (signal: AbortSignal, report: (progress: P) => void) => Promise<R>): Running<R, P> {
    const cancel = new AbortController()
    const watchers = new Set<(progress: P) => void>()
    const report = (progress: P): void => {
      running.last = progress
      for (const watcher of watchers) watcher(progress)
    }
    // Begins when it is noted: it may report at once.
    const result = Promise.resolve().then(() => work(cancel.signal, report)).finally(() => {
      if (this.#running.get(key) === running) this.#running.delete(key)
    })
    // Everybody may have left before it fails.
    result.catch(() => undefined)
    const running: Running<R, P> = { result, watchers, cancel, last: undefined }
    this.#running.set(key, running)
    return running
  }
}

function cancelled(): EngineError {
  return new EngineError('cancelled', 'context canceled')
}
