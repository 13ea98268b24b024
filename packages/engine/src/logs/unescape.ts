import { copyRun } from './copy-run.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_U = 0x75
/** What the letter after a backslash stands for (RFC 8259, section 7). */
const ESCAPES = new Map([['"', 0x22], ['\\', 0x5c], ['/', 0x2f], ['b', 8], ['f', 12], ['n', 10], ['r', 13], ['t', 9]].map(([letter, byte]) => [String(letter).charCodeAt(0), Number(byte)]))

/** Where a string ended, and what it came to. One is used for many strings. */
export interface Unescaped {
  /** Where the quote after the string stands. */
  end: number
  /** Bytes that were written. */
  written: number
}

/**
 * Decodes the inside of a JSON string, bytes to bytes. What is written is never longer than what was read.
 * @param at where it begins, after its quote
 * @param to where in `into` the text goes
 * @param result is set when it is one
 * @returns whether it is a string that was decoded; surrogates are not, since engine and Docker write none
 */
export function unescapeString(from: Buffer, at: number, into: Buffer, to: number, result: Unescaped): boolean {
  let end = to
  for (let next = at; next < from.length; ) {
    const byte = from[next] as number
    if (byte === QUOTE) {
      result.end = next
      result.written = end - to
      return true
    }
    if (byte < 0x20) return false
    if (byte !== BACKSLASH) {
      const run = plainUntil(from, next + 1)
      end += copyRun(from, next, run, into, end)
      next = run
      continue
    }
    const letter = from[next + 1] as number
    if (letter === LOWER_U) {
      const code = hexadecimal(from, next + 2)
      if (code < 0 || (code >= 0xd800 && code < 0xe000)) return false
      end = writeCharacter(into, end, code)
      next += 6
      continue
    }
    const escaped = ESCAPES.get(letter)
    if (escaped === undefined) return false
    into[end++] = escaped
    next += 2
  }
  return false
}

/** 1 for each byte that stands for itself in a string. */
const PLAIN = Uint8Array.from({ length: 0x100 }, (_, byte) => (byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 0 : 1))

function plainUntil(bytes: Buffer, at: number): number {
  let end = at
  while (end < bytes.length && PLAIN[bytes[end] as number] === 1) end++
  return end
}

/** Four hexadecimal digits. @returns -1 when they are none */
function hexadecimal(bytes: Buffer, at: number): number {
  let value = 0
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] as number
    const lower = byte | 0x20
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}

/** Writes a character below U+10000 as UTF-8. @returns where it ends */
function writeCharacter(into: Buffer, at: number, code: number): number {
  let end = at
  if (code < 0x80) {
    into[end++] = code
  } else if (code < 0x800) {
    into[end++] = 0xc0 | (code >> 6)
    into[end++] = 0x80 | (code & 0x3f)
  } else {
    into[end++] = 0xe0 | (code >> 12)
    into[end++] = 0x80 | ((code >> 6) & 0x3f)
    into[end++] = 0x80 | (code & 0x3f)
  }
  return end
}
