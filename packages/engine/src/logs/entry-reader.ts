import { parseRfc3339 } from '../clock.ts'
import type { LogOptions, OutputChunk } from '../interface.ts'
import { parseEntry, type LogEntry, type StreamName } from './json-line.ts'

const HEAD = Buffer.from('{"log":"')
const TAILS: readonly (readonly [StreamName, Buffer])[] = [
  ['stdout', Buffer.from('","stream":"stdout","time":"')],
  ['stderr', Buffer.from('","stream":"stderr","time":"')],
]
const TAIL_BYTES = 28
const QUOTE = 0x22
const BACKSLASH = 0x5c
const LINE_FEED = 10

/**
 * Reads whole lines of a log's file back.
 * @param lines ended by a line feed; may be overwritten, and is what the output's data lies in
 * @returns output of the entries that are wanted, and whether one was met that is later than is wanted
 */
export function readEntries(lines: Buffer, options: LogOptions): { readonly chunks: OutputChunk[]; readonly over: boolean } {
  const chunks: OutputChunk[] = []
  // Most output is wanted as it is: then it is not decoded, but found between its quotes.
  const plain = !options.timestamps && !options.details && options.since === undefined && options.until === undefined
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf(LINE_FEED, at)
    const quick = plain ? quickChunk(lines, at, end) : undefined
    if (quick !== undefined) {
      if (quick.stream === 'stdout' ? options.stdout : options.stderr) chunks.push(quick)
    } else {
      const shown = slowChunk(lines.toString('utf8', at, end), options)
      if (shown === 'over') return { chunks, over: true }
      if (shown !== undefined) chunks.push(shown)
    }
    at = end + 1
  }
  return { chunks, over: false }
}

/** An entry as it was written, without attributes and without anything escaped but the line feed at its end; undefined for others. */
function quickChunk(lines: Buffer, at: number, end: number): OutputChunk | undefined {
  // …"time":"2026-11-23T17:40:46.65306662Z"}
  const timeEnd = end - 2
  if (lines[timeEnd] !== QUOTE || lines.compare(HEAD, 0, HEAD.length, at, at + HEAD.length) !== 0) return undefined
  let time = timeEnd - 1
  while (time > at && lines[time] !== QUOTE) time--
  const textEnd = time + 1 - TAIL_BYTES
  const text = at + HEAD.length
  if (textEnd < text) return undefined
  const stream = TAILS.find(([, tail]) => lines.compare(tail, 0, TAIL_BYTES, textEnd, time + 1) === 0)?.[0]
  if (stream === undefined) return undefined
  const escaped = lines.indexOf(BACKSLASH, text)
  if (escaped < 0 || escaped >= textEnd) return { stream, data: lines.subarray(text, textEnd) }
  if (escaped !== textEnd - 2 || lines[escaped + 1] !== 0x6e) return undefined
  lines[escaped] = LINE_FEED
  return { stream, data: lines.subarray(text, escaped + 1) }
}

function slowChunk(line: string, options: LogOptions): OutputChunk | 'over' | undefined {
  const entry = parseEntry(line)
  if (entry === undefined) return undefined
  if (options.since !== undefined || options.until !== undefined) {
    const time = parseRfc3339(entry.time)
    if (options.since !== undefined && time < options.since) return undefined
    if (options.until !== undefined && time > options.until) return 'over'
  }
  if (!(entry.stream === 'stdout' ? options.stdout : options.stderr)) return undefined
  return { stream: entry.stream, data: Buffer.from(`${options.timestamps ? `${fixedTime(entry.time)} ` : ''}${options.details ? `${details(entry)} ` : ''}${entry.text}`) }
}

/** Docker shows times with nine digits always. */
function fixedTime(time: string): string {
  return time.replace(/(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/, (_, fraction: string | undefined, zone: string) => `.${(fraction ?? '').padEnd(9, '0')}${zone}`)
}

/** `key=value,…`, sorted, as in a URL's query. */
function details({ attributes }: LogEntry): string {
  const quote = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1)
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${quote(name)}=${quote(value)}`)
    .join(',')
}
