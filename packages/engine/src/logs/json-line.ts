import { rfc3339 } from '../clock.ts'

/**
 * One entry of Docker's json-file format: `{"log":"text\n","stream":"stdout","time":"…"}`.
 * Source: moby daemon/logger/jsonfilelog/jsonlog. Its escaping is Go's: `<`, `>`, `&`, U+2028 and U+2029 are escaped, a tab is
 * \u0009, and each byte that is no UTF-8 becomes \ufffd.
 */
export type StreamName = 'stdout' | 'stderr'

// oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
const ESCAPED = /[\u0000-\u0009\u000b-\u001f"\\<>&\u2028\u2029]/g
// oxlint-disable-next-line no-control-regex -- the same without those of FREQUENT, and only whether there is one
const RARE = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u2028\u2029]/

/** What logs are full of, replaced one after the other: many times faster than one expression. The backslash comes first. */
const FREQUENT = ['\\', '"', '\r', '\t', '\u001b', '<', '>', '&'].map((character) => [character, escape(character)] as const)

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

/** Text as it stands in a JSON string, but for line feeds. */
function escapedText(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  // Either U+FFFD itself is in the text, or something that is no UTF-8.
  if (text.includes('\ufffd')) return escapedBytes(bytes)
  if (RARE.test(text)) return text.replaceAll(ESCAPED, escape)
  let escaped = text
  for (const [character, replacement] of FREQUENT) if (escaped.includes(character)) escaped = escaped.replaceAll(character, replacement)
  return escaped
}

/** As escapedText, byte for byte as Go decodes: each byte that begins no character counts as one. */
function escapedBytes(bytes: Buffer): string {
  let result = ''
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    if (length === 0) {
      result += '\\ufffd'
      at += 1
      continue
    }
    const character = bytes.toString('utf8', at, at + length)
    result += character.replace(ESCAPED, escape)
    at += length
  }
  return result
}

/** Bytes of the UTF-8 character at `at`; 0 when there is none (RFC 3629: no surrogates, nothing overlong). */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number
  if (first < 0x80) return 1
  const length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
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

/** Entries for whole lines, each ended by a line feed, all of one time. */
export function writeLines(lines: Buffer, stream: StreamName, time: bigint, attributes?: string): string {
  const end = `\\n${tail(stream, time, attributes)}`
  const entries = escapedText(lines.subarray(0, lines.length - 1)).replaceAll('\n', `${end}{"log":"`)
  return `{"log":"${entries}${end}`
}

/** An entry for a piece of a line, without a line feed. */
export function writePartial(piece: Buffer, stream: StreamName, time: bigint, attributes?: string): string {
  // Go leaves an empty log out.
  const log = piece.length === 0 ? '{' : `{"log":"${escapedText(piece)}"`
  return `${log}${piece.length === 0 ? tail(stream, time, attributes).slice(2) : tail(stream, time, attributes).slice(1)}`
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
