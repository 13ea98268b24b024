import { parseRfc3339 } from '../clock.ts'
import type { LogOptions, OutputFraming } from '../interface.ts'
import { EntryTail, TIME_BYTES } from './entry-tail.ts'
import { parseEntry, type LogEntry, type StreamName } from './json-line.ts'
import type { OutputBuffer } from './output-buffer.ts'
import { unescapeString } from './unescape.ts'

const HEAD = Buffer.from('{"log":"')
const [HEAD_FIRST, HEAD_SECOND] = [HEAD.readInt32LE(0), HEAD.readInt32LE(4)]
const LINE_FEED = 10

/**
 * Reads whole lines of a log's file back, byte for byte: a log is read by the gigabyte. What is not as engine and Docker write it, and
 * what has attributes, goes through JSON.parse.
 */
export class EntryReader {
  readonly #options: LogOptions
  readonly #framing: OutputFraming
  /** Bytes between a frame's header and the text: a time, a blank. */
  readonly #prefix: number
  readonly #tail = new EntryTail()
  /** What the tail's time means, if that matters. */
  #shownTime: Buffer = Buffer.alloc(0)
  #wanted: 'yes' | 'no' | 'over' = 'yes'
  readonly #text = { end: 0, written: 0 }

  constructor(options: LogOptions, framing: OutputFraming) {
    this.#options = options
    this.#framing = framing
    this.#prefix = options.timestamps ? TIME_BYTES + 1 : 0
  }

  /**
   * Adds those of some entries that are wanted to what is given out.
   * @param lines ended by a line feed
   * @returns whether an entry was met that is later than is wanted: then those before it are there
   */
  read(lines: Buffer, into: OutputBuffer): boolean {
    // An entry as we write it takes less than it did: a frame's header is no longer than HEAD, a time no longer than what follows the text.
    // Only what turns out to be none goes beyond that, by as much as stands before a text.
    into.room(lines.length + HEAD.length + TIME_BYTES)
    const view = new DataView(lines.buffer, lines.byteOffset, lines.length)
    for (let at = 0; at < lines.length; ) {
      let end = this.#options.details ? -1 : this.#quick(lines, view, at, into)
      if (end === 'over') return true
      if (end < 0) {
        end = lines.indexOf(LINE_FEED, at) + 1
        if (this.#slow(lines.toString('utf8', at, end - 1), into) === 'over') return true
        into.room(lines.length - end + HEAD.length + TIME_BYTES)
      }
      at = end
    }
    return false
  }

  /** Reads the entry at `at`, for which there is room. @returns where the next begins; negative when it is not as we write it */
  #quick(lines: Buffer, view: DataView, at: number, into: OutputBuffer): number | 'over' {
    if (at + HEAD.length > lines.length || view.getInt32(at, true) !== HEAD_FIRST || view.getInt32(at + 4, true) !== HEAD_SECOND) return -1
    const bytes = into.room(0)
    const header = into.length
    const prefix = this.#prefix
    const text = header + this.#framing.headerBytes + prefix
    const read = this.#text
    if (!unescapeString(lines, at + HEAD.length, bytes, text, read)) return -1
    const tail = this.#tail
    if (!tail.isAt(view, read.end)) {
      if (!tail.read(lines, read.end)) return -1
      this.#note(tail.time)
    }
    if (this.#wanted === 'over') return 'over'
    if (prefix > 0 && this.#shownTime.length !== prefix) return -1
    if (this.#wanted === 'yes' && this.#wants(tail.stream)) {
      for (let i = 0; i < prefix; i++) bytes[text - prefix + i] = this.#shownTime[i] as number
      this.#framing.writeHeader(bytes, header, tail.stream, read.written + prefix)
      into.length = text + read.written
    }
    return read.end + tail.length
  }

  #note(time: string): void {
    if (this.#prefix > 0) this.#shownTime = Buffer.from(`${fixedTime(time)} `)
    this.#wanted = this.#wantedAt(time)
  }

  #wants(stream: StreamName): boolean {
    return stream === 'stdout' ? this.#options.stdout : this.#options.stderr
  }

  #wantedAt(time: string): 'yes' | 'no' | 'over' {
    const { since, until } = this.#options
    if (since === undefined && until === undefined) return 'yes'
    const at = parseRfc3339(time)
    if (since !== undefined && at < since) return 'no'
    return until !== undefined && at > until ? 'over' : 'yes'
  }

  #slow(line: string, into: OutputBuffer): 'over' | undefined {
    const { timestamps, details } = this.#options
    const entry = parseEntry(line)
    if (entry === undefined) return undefined
    const wanted = this.#wantedAt(entry.time)
    if (wanted === 'over') return 'over'
    if (wanted === 'no' || !this.#wants(entry.stream)) return undefined
    const text = Buffer.from(`${timestamps ? `${fixedTime(entry.time)} ` : ''}${details ? `${attributes(entry)} ` : ''}${entry.text}`)
    const { headerBytes } = this.#framing
    const bytes = into.room(headerBytes + text.length)
    this.#framing.writeHeader(bytes, into.length, entry.stream, text.length)
    text.copy(bytes, into.length + headerBytes)
    into.length += headerBytes + text.length
    return undefined
  }
}

/** Docker shows times with nine digits always. */
function fixedTime(time: string): string {
  return time.replace(/(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/, (_, fraction: string | undefined, zone: string) => `.${(fraction ?? '').padEnd(9, '0')}${zone}`)
}

/** `key=value,…`, sorted, as in a URL's query. */
function attributes(entry: LogEntry): string {
  const quote = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
  return Object.entries(entry.attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${quote(name)}=${quote(value)}`)
    .join(',')
}
