/** One line of a build's stream: `{"stream": …}`, `{"aux": …}`, `{"errorDetail": …, "error": …}`; for engine's own command `{"vertex": …}` and `{"vertexLog": …}`. */
export type BuildLine = Readonly<Record<string, unknown>>

export type WriteLines = (line: BuildLine) => Promise<void> | void

/** How a build tells of itself: `classic` is the classic builder's text, `steps` is one record for each change of a step. */
export type OutputKind = 'classic' | 'steps'

/** What a step says of itself to engine's own command. */
export interface StepRecord {
  readonly id: number
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly started: number
  readonly completed?: number
  readonly cached?: boolean
  readonly error?: string
  /** Why it was not in the cache. */
  readonly reasons?: readonly string[]
}

/** Ids of steps, for all stages of a build. */
export class StepIds {
  #last = 0

  next(): number {
    return ++this.#last
  }
}

/** Takes what a build (or one of its stages) has to say. Promises are kept when the reader has caught up. */
export class BuildOutput {
  readonly kind: OutputKind
  readonly #write: WriteLines
  readonly #ids: StepIds
  #step: StepRecord | undefined

  constructor(write: WriteLines, kind: OutputKind = 'classic', ids: StepIds = new StepIds()) {
    this.#write = write
    this.kind = kind
    this.#ids = ids
  }

  /** A line as it is. */
  write(line: BuildLine): Promise<void> | void {
    return this.#write(line)
  }

  /** The same for another writer: a stage of its own. */
  with(write: WriteLines): BuildOutput {
    return new BuildOutput(write, this.kind, this.#ids)
  }

  /** Text of the builder's own. */
  stdout(text: string): Promise<void> | void {
    if (this.kind === 'classic') return this.#write({ stream: text })
  }

  /** Warnings: in red, as Docker shows them. */
  stderr(text: string): Promise<void> | void {
    if (this.kind === 'classic') return this.#write({ stream: `\u001b[91m${text}\u001b[0m` })
    return this.#write({ warning: text.trimEnd() })
  }

  /** What a step's container writes. */
  container(stream: 'stdout' | 'stderr', text: string): Promise<void> | void {
    if (this.kind === 'classic') return this[stream](text)
    return this.#write({ vertexLog: { id: this.#step?.id ?? 0, stream, data: text } })
  }

  /** More about the step under way that the classic builder does not tell. */
  detail(text: string): Promise<void> | void {
    if (this.kind === 'steps') return this.container('stdout', text)
  }

  /** A line whose end comes as a line of the stream of its own, which is how Docker's builder prints steps. */
  async line(text: string): Promise<void> {
    await this.stdout(text)
    await this.stdout('\n')
  }

  /** Tells programs the id of an image. */
  image(id: string): Promise<void> | void {
    return this.#write({ aux: { ID: id } })
  }

  /** Progress of a download, in bytes. */
  progress(status: string, current: number, total: number | undefined): Promise<void> | void {
    return this.#write({ status, progressDetail: total === undefined ? { current } : { current, total } })
  }

  /** A step begins. */
  begin(name: string): Promise<void> | void {
    this.#step = { id: this.#ids.next(), name, started: Date.now() }
    return this.#tell(this.#step)
  }

  /** More about the step under way. */
  note(more: Pick<StepRecord, 'cached' | 'reasons'>): Promise<void> | void {
    if (this.#step === undefined) return
    this.#step = { ...this.#step, ...more }
    return this.#tell(this.#step)
  }

  /** The step under way is done, or has failed. */
  end(error?: string): Promise<void> | void {
    if (this.#step === undefined) return
    const ended = { ...this.#step, completed: Date.now(), ...(error === undefined ? {} : { error }) }
    this.#step = undefined
    return this.#tell(ended)
  }

  #tell(step: StepRecord): Promise<void> | void {
    if (this.kind === 'steps') return this.#write({ vertex: step })
  }
}

/** An id as messages show it: 12 digits, without algorithm. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
