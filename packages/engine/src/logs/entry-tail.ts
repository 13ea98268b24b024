import type { StreamName } from './json-line.ts'

const MIDDLES: Readonly<Record<string, StreamName>> = { '","stream":"stdout","time":"': 'stdout', '","stream":"stderr","time":"': 'stderr' }
const MIDDLE_BYTES = 28
const END = Buffer.from('"}\n')
const QUOTE = 0x22
const Z = 0x5a
/** The longest time there is: `2026-11-23T17:40:46.653066620Z`. */
export const TIME_BYTES = 30

/**
 * What follows the text of the last entry that was read, its stream and its time. It is the same for many entries one after the
 * other, so that most of the time it is compared, four bytes at once, and not read.
 */
export class EntryTail {
  readonly #bytes = Buffer.alloc(MIDDLE_BYTES + TIME_BYTES + END.length)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
  /** 0 before the first. */
  length = 0
  stream: StreamName = 'stdout'
  /** As it stands in the file. */
  time = ''

  /** Whether the same stands at `at`. @param lines ends with a line feed */
  isAt(lines: DataView, at: number): boolean {
    const { length } = this
    if (length === 0 || at + length > lines.byteLength) return false
    let i = 0
    for (; i + 4 <= length; i += 4) if (lines.getInt32(at + i, true) !== this.#view.getInt32(i, true)) return false
    for (; i < length; i++) if (lines.getInt8(at + i) !== this.#view.getInt8(i)) return false
    return true
  }

  /** Reads what stands at `at`. @returns false when it is not as engine and Docker write it, or has attributes; then what was read before is forgotten */
  read(lines: Buffer, at: number): boolean {
    this.length = 0
    const stream = MIDDLES[lines.toString('latin1', at, at + MIDDLE_BYTES)]
    if (stream === undefined) return false
    const time = at + MIDDLE_BYTES
    let end = time
    while (end - time < TIME_BYTES && lines[end] !== QUOTE) end++
    if (lines[end - 1] !== Z || lines.compare(END, 0, END.length, end, Math.min(end + END.length, lines.length)) !== 0) return false
    this.stream = stream
    this.time = lines.toString('latin1', time, end)
    this.length = end + END.length - at
    lines.copy(this.#bytes, 0, at, at + this.length)
    return true
  }
}
