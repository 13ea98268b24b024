/** One line of a build's stream: `{"stream": …}`, `{"aux": …}`, `{"errorDetail": …, "error": …}`. */
export type BuildLine = Readonly<Record<string, unknown>>

/** Takes what a build has to say, in the classic builder's form. Promises are kept when the reader has caught up. */
export class BuildOutput {
  readonly #write: (line: BuildLine) => Promise<void> | void

  constructor(write: (line: BuildLine) => Promise<void> | void) {
    this.#write = write
  }

  /** Text of the builder's own, and of a container's standard output. */
  stdout(text: string): Promise<void> | void {
    return this.#write({ stream: text })
  }

  /** Warnings, and a container's standard error: in red, as Docker shows them. */
  stderr(text: string): Promise<void> | void {
    return this.#write({ stream: `\u001b[91m${text}\u001b[0m` })
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
}

/** An id as messages show it: 12 digits, without algorithm. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
