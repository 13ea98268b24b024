import { rfc3339 } from '../clock.ts'
import { copyRun } from './copy-run.ts'
import { OutputBuffer } from './output-buffer.ts'

/**
 * One entry of Docker's json-file format: `{"log":"text\n","stream":"stdout","time":"…"}`.
 * Source: moby daemon/logger/jsonfilelog/jsonlog. Its escaping is Go's: `<`, `>`, `&`, U+2028 and U+2029 are escaped, a tab is
 * \u0009, and each byte that is no UTF-8 becomes \ufffd.
 */
export type StreamName = 'stdout' | 'stderr'

const LINE_FEED = 10
// oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
const ESCAPED = /[\u0000-\u0009\u000b-\u001f"\\<>&]/

/** What becomes of each byte below 0x80 that must be escaped. */
const ESCAPES = Array.from({ length: 0x80 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  return ESCAPED.test(character) ? Buffer.from(escape(character)) : undefined
})
/** 1 for each byte that stands for itself whatever is around it. */
const PLAIN = Uint8Array.from({ length: 0x100 }, (_, byte) => (byte < 0x80 && ESCAPES[byte] === undefined ? 1 : 0))
const REPLACEMENT = Buffer.from('\\ufffd')
const LINE_SEPARATOR = Buffer.from('\\u2028')
const PARAGRAPH_SEPARATOR = Buffer.from('\\u2029')
/** The longest that one byte can become: `\u0000`. */
const GROWTH = 6
const HEAD = Buffer.from('{"log":"')

function escape(character: string): string {
  switch (character) {
    case '"':
    case '\\':
      return `\\${character}`
    case '\r':
      return '\\r'
    default:
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  }
}

/**
 * Entries, as bytes: a log is written as fast as a container prints, which going through strings is not, least of all for what is
 * no text.
 */
export class EntryBuffer {
  readonly #buffer = new OutputBuffer()

  get length(): number {
    return this.#buffer.length
  }

  /** The entries; overwritten after the next `clear`. */
  get content(): Buffer {
    return this.#buffer.content
  }

  clear(): void {
    this.#buffer.clear()
  }

  /** Adds entries for whole lines, each ended by a line feed, all of one time. @param attributes JSON */
  addLines(lines: Buffer, stream: StreamName, time: bigint, attributes?: string): void {
    const end = Buffer.from(`\\n${tail(stream, time, attributes)}`)
    for (let at = 0; at < lines.length; ) {
      const stop = lines.indexOf(LINE_FEED, at)
      this.#add(HEAD, lines, at, stop, end)
      at = stop + 1
    }
  }

  /** Adds an entry for a piece of a line, without a line feed. */
  addPartial(piece: Buffer, stream: StreamName, time: bigint, attributes?: string): void {
    const end = tail(stream, time, attributes)
    // Go leaves an empty log out.
    if (piece.length === 0) this.#add(Buffer.from('{'), piece, 0, 0, Buffer.from(end.slice(2)))
    else this.#add(HEAD, piece, 0, piece.length, Buffer.from(end))
  }

  /** Adds one entry. Its text is escaped byte for byte as Go decodes: each byte that begins no character counts as one. */
  #add(head: Buffer, text: Buffer, from: number, to: number, tailBytes: Buffer): void {
    const bytes = this.#buffer.room(head.length + (to - from) * GROWTH + tailBytes.length)
    let end = this.#buffer.length
    end += copyRun(head, 0, head.length, bytes, end)
    for (let at = from; at < to; ) {
      const byte = text[at] as number
      if (PLAIN[byte] === 1) {
        let run = at + 1
        while (run < to && PLAIN[text[run] as number] === 1) run++
        end += copyRun(text, at, run, bytes, end)
        at = run
        continue
      }
      let length = 1
      let replacement: Buffer | undefined
      if (byte < 0x80) {
        replacement = ESCAPES[byte]
      } else {
        length = characterLength(text, at, to)
        if (length === 0) {
          length = 1
          replacement = REPLACEMENT
        } else if (byte === 0xe2) {
          replacement = separator(text, at)
        }
      }
      if (replacement === undefined) {
        for (let i = 0; i < length; i++) bytes[end++] = text[at + i] as number
      } else {
        for (let i = 0; i < replacement.length; i++) bytes[end++] = replacement[i] as number
      }
      at += length
    }
    this.#buffer.length = end + copyRun(tailBytes, 0, tailBytes.length, bytes, end)
  }
}

/** U+2028 and U+2029, which Go escapes. */
function separator(bytes: Buffer, at: number): Buffer | undefined {
  if (bytes[at + 1] !== 0x80) return undefined
  return bytes[at + 2] === 0xa8 ? LINE_SEPARATOR : bytes[at + 2] === 0xa9 ? PARAGRAPH_SEPARATOR : undefined
}

/** Bytes of the UTF-8 character at `at`, which ends before `to`; 0 when there is none (RFC 3629: no surrogates, nothing overlong). */
function characterLength(bytes: Buffer, at: number, to: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return 1
  const length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > to) return 0
  const second = bytes[at + 1] as number
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return 0
  for (let index = at + 2; index < at + length; index++) {
    const next = bytes[index] as number
    if (next < 0x80 || next > 0xbf) return 0
  }
  return length
}

/** The part of an entry after its text; `attributes` is JSON. */
function tail(stream: StreamName, time: bigint, attributes: string | undefined): string {
  return `","stream":"${stream}",${attributes === undefined ? '' : `"attrs":${attributes},`}"time":"${rfc3339(time)}"}\n`
}

/** An entry as it was read. */
export interface LogEntry {
  readonly text: string
  readonly stream: StreamName
  /** RFC 3339 as it stands in the file. */
  readonly time: string
  readonly attributes: Readonly<Record<string, string>>
}

/** @returns undefined for a line that is no entry (a torn write) */
export function parseEntry(line: string): LogEntry | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { log, stream, time, attrs } = value as { readonly log?: unknown; readonly stream?: unknown; readonly time?: unknown; readonly attrs?: unknown }
  if (typeof time !== 'string' || (log !== undefined && typeof log !== 'string')) return undefined
  const attributes: Record<string, string> = {}
  if (typeof attrs === 'object' && attrs !== null) for (const [name, text] of Object.entries(attrs)) attributes[name] = String(text)
  return { text: log ?? '', stream: stream === 'stderr' ? 'stderr' : 'stdout', time, attributes }
}
