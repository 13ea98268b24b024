import type { BuildProgressLine, BuildStep } from '@engine/api/client'
import type { ProgressOutput } from './progress.ts'
import { ProgressError } from './progress.ts'

interface Display {
  vertex(vertex: BuildStep, before: BuildStep | undefined): void
  log(vertex: BuildStep, text: string): void
  note(text: string): void
  end(): void
}

/** Lines of a failed step that are shown again at the end. */
const maxTail = 20

/**
 * Shows a build's steps as BuildKit does: line by line, or on a terminal as a list that is written over.
 * @param onAux takes the messages meant for programs (the image's ID)
 * @throws ProgressError at an error message
 */
export async function showSteps(messages: AsyncIterable<BuildProgressLine>, kind: 'plain' | 'tty', out: ProgressOutput, onAux: (aux: unknown) => void): Promise<void> {
  const display: Display = kind === 'tty' ? new ListDisplay(out) : new LineDisplay(out)
  const vertices = new Map<number, BuildStep>()
  const tails = new Map<number, string[]>()
  let failed: ProgressError | undefined
  try {
    for await (const { vertex, vertexLog, warning, aux, error, errorDetail, status } of messages) {
      if (vertex !== undefined) {
        display.vertex(vertex, vertices.get(vertex.id))
        vertices.set(vertex.id, vertex)
      } else if (vertexLog !== undefined) {
        const of = vertices.get(vertexLog.id)
        if (of === undefined) continue
        display.log(of, vertexLog.data)
        const tail = tails.get(of.id) ?? []
        tail.push(...vertexLog.data.split('\n').filter((line) => line !== ''))
        tails.set(of.id, tail.slice(-maxTail))
      } else if (warning !== undefined) display.note(`WARN: ${warning}`)
      else if (aux !== undefined) onAux(aux)
      else if (errorDetail !== undefined || error !== undefined) failed = new ProgressError(errorDetail?.message ?? error ?? '', errorDetail?.code ?? 0)
      else if (status !== undefined && status !== 'Downloading') display.note(status)
    }
  } finally {
    display.end()
  }
  if (failed === undefined) return
  const broken = [...vertices.values()].find((vertex) => vertex.error !== undefined)
  const tail = broken === undefined ? [] : tails.get(broken.id) ?? []
  if (broken !== undefined && tail.length > 0) out.print(`------\n > ${broken.name}:\n${tail.join('\n')}\n------\n`)
  throw failed
}

/** `#7 0.211 text`: lines that can be read in a log. */
class LineDisplay implements Display {
  readonly #out: ProgressOutput
  #last = 0
  /** Of each step, what came after its last line end. */
  readonly #partial = new Map<number, string>()

  constructor(out: ProgressOutput) {
    this.#out = out
  }

  vertex(vertex: BuildStep, before: BuildStep | undefined): void {
    if (before === undefined) this.#line(vertex.id, vertex.name)
    for (const reason of vertex.reasons === before?.reasons ? [] : vertex.reasons ?? []) if (before?.reasons === undefined) this.#line(vertex.id, `not cached: ${reason}`)
    if (vertex.completed === undefined) return
    const rest = this.#partial.get(vertex.id) ?? ''
    if (rest !== '') this.log(vertex, '\n')
    this.#line(vertex.id, vertex.error !== undefined ? `ERROR: ${vertex.error}` : vertex.cached === true ? 'CACHED' : `DONE ${seconds(vertex.completed - vertex.started)}s`)
    this.#out.print('\n')
    this.#last = 0
  }

  log(vertex: BuildStep, text: string): void {
    const lines = ((this.#partial.get(vertex.id) ?? '') + text).split('\n')
    this.#partial.set(vertex.id, lines.pop() ?? '')
    for (const line of lines) this.#line(vertex.id, `${((Date.now() - vertex.started) / 1000).toFixed(3)} ${line.replace(/\r$/, '')}`)
  }

  note(text: string): void {
    this.#out.print(`${text}\n`)
  }

  end(): void {
    // Every line is out.
  }

  #line(id: number, text: string): void {
    if (this.#last !== 0 && this.#last !== id) this.#out.print('\n')
    this.#last = id
    this.#out.print(`#${id} ${text}\n`)
  }
}

/** Lines of a running step's output that a terminal shows. */
const shownLogLines = 6
/** Steps that are shown at once; of more the oldest that are done scroll off. */
const shownSteps = 12

/** A list of steps that is written over as they go on. */
class ListDisplay implements Display {
  readonly #out: ProgressOutput
  readonly #vertices = new Map<number, BuildStep>()
  readonly #logs = new Map<number, string[]>()
  readonly #began = Date.now()
  readonly #timer: NodeJS.Timeout
  #drawn = 0
  #dirty = true

  constructor(out: ProgressOutput) {
    this.#out = out
    this.#timer = setInterval(() => this.#draw(false), 100)
    this.#timer.unref()
  }

  vertex(vertex: BuildStep): void {
    this.#vertices.set(vertex.id, vertex)
    this.#dirty = true
  }

  log({ id }: BuildStep, text: string): void {
    const known = this.#logs.get(id) ?? ['']
    const [first = '', ...more] = text.split('\n')
    known.push(`${known.pop() ?? ''}${first}`, ...more)
    this.#logs.set(id, known.slice(-shownLogLines - 1))
    this.#dirty = true
  }

  note(text: string): void {
    this.#clear()
    this.#out.print(`${text}\n`)
    this.#dirty = true
  }

  end(): void {
    clearInterval(this.#timer)
    this.#dirty = true
    this.#draw(true)
  }

  #draw(last: boolean): void {
    const all = [...this.#vertices.values()]
    if (!this.#dirty && all.every(({ completed }) => completed !== undefined)) return
    this.#dirty = false
    const done = all.filter(({ completed }) => completed !== undefined).length
    // A terminal that does not know its size says 0.
    const width = process.stderr.columns || 80
    const lines = [`[+] Building ${seconds(Date.now() - this.#began)}s (${done}/${all.length})${last ? ' FINISHED' : ''}`]
    for (const vertex of last ? all : all.slice(-shownSteps)) {
      const time = `${seconds((vertex.completed ?? Date.now()) - vertex.started)}s`
      const mark = vertex.error !== undefined ? ' => ERROR ' : vertex.cached === true ? ' => CACHED ' : ' => '
      const name = `${mark}${vertex.name.replaceAll('\n', ' ')}`.slice(0, Math.max(20, width - time.length - 2))
      const color = vertex.error !== undefined ? 31 : vertex.completed !== undefined ? 34 : 0
      lines.push(`\u001b[${color}m${name.padEnd(width - time.length - 1)}${time}\u001b[0m`)
      if (vertex.completed === undefined) for (const line of (this.#logs.get(vertex.id) ?? []).filter((text) => text !== '')) lines.push(` => => # ${clean(line)}`.slice(0, width - 1))
    }
    this.#clear()
    this.#out.print(`${lines.join('\n')}\n`)
    this.#drawn = last ? 0 : lines.length
  }

  #clear(): void {
    if (this.#drawn > 0) this.#out.print(`\u001b[${this.#drawn}A\u001b[0J`)
    this.#drawn = 0
  }
}

/** Control characters of a step's output must not move the cursor. */
function clean(line: string): string {
  // eslint-disable-next-line no-control-regex
  return line.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\u0000-\u001f\u007f]/g, ' ')
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1)
}
