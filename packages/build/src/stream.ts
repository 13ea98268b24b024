import { EngineError } from '@engine/linux'
import { BuildFailure } from './failure.ts'
import type { BuildLine } from './output.ts'

/** Takes a line; a promise is kept when the reader has caught up. */
export type WriteLine = (line: BuildLine) => Promise<void> | void

/** Lines that wait for the reader before the writer has to wait. */
const maxWaiting = 64
/** Lines that a quiet build keeps to tell them when it fails. */
const maxKept = 10_000

/**
 * Runs work that writes lines, and gives the lines out as they come. When nobody reads on, the work's signal is raised, and its end is
 * waited for.
 * @param quiet only the id that the work returns is told, or, when it fails, everything
 * @throws what the work throws before its first line; later it becomes the last line
 */
export async function* streamOf(
  quiet: boolean,
  outer: AbortSignal,
  work: (write: WriteLine, signal: AbortSignal) => Promise<string>,
): AsyncGenerator<BuildLine, void, undefined> {
  const left = new AbortController()
  const signal = AbortSignal.any([outer, left.signal])
  const lines = new LineQueue()
  const kept: BuildLine[] = []
  const write = quiet ? (line: BuildLine): void => keep(kept, line) : (line: BuildLine): Promise<void> | void => lines.push(line)
  let failure: { readonly error: unknown } | undefined
  const done = work(write, signal).then(
    (id) => {
      if (quiet) void lines.push({ stream: `${id}\n` })
      lines.end()
    },
    (error: unknown) => {
      failure = { error }
      for (const line of kept) void lines.push(line)
      lines.end()
    },
  )
  let told = false
  try {
    for (let line = await lines.shift(); line !== undefined; line = await lines.shift()) {
      told = true
      yield line
    }
    // A client that has gone does not read why its build ended.
    if (failure !== undefined && !outer.aborted) yield told ? errorLine(failure.error) : raise(failure.error)
  } finally {
    left.abort(new EngineError('cancelled', 'build cancelled'))
    lines.close()
    await done
  }
}

function raise(error: unknown): never {
  throw error
}

/** The line that tells of a failure. */
function errorLine(error: unknown): BuildLine {
  const message = error instanceof Error ? error.message : String(error)
  const detail = error instanceof BuildFailure ? { code: error.exitCode, message } : { message }
  return { errorDetail: detail, error: message }
}

/** A quiet build's lines about images are not told even then. */
function keep(kept: BuildLine[], line: BuildLine): void {
  if (!('stream' in line)) return
  kept.push(line)
  if (kept.length > maxKept) kept.shift()
}

/** Lines between one writer and one reader. */
class LineQueue {
  readonly #lines: BuildLine[] = []
  #ended = false
  #closed = false
  #arrived: (() => void) | undefined
  #taken: PromiseWithResolvers<void> | undefined

  push(line: BuildLine): Promise<void> | void {
    if (this.#closed) return
    this.#lines.push(line)
    this.#arrived?.()
    if (this.#lines.length < maxWaiting) return
    this.#taken ??= Promise.withResolvers<void>()
    return this.#taken.promise
  }

  end(): void {
    this.#ended = true
    this.#arrived?.()
  }

  /** Nobody reads any more: writers do not wait, and what they write is dropped. */
  close(): void {
    this.#closed = true
    this.#lines.length = 0
    this.#taken?.resolve()
  }

  async shift(): Promise<BuildLine | undefined> {
    while (this.#lines.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => (this.#arrived = resolve))
    }
    const line = this.#lines.shift()
    if (this.#lines.length < maxWaiting / 2) {
      this.#taken?.resolve()
      this.#taken = undefined
    }
    return line
  }
}
