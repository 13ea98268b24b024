import { writeSync } from 'node:fs'
import { pino, type Logger } from 'pino'

/** syslog(3) priorities by pino's levels: journald reads them from `<N>` before a line. */
const priorities: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }
const names: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

/**
 * The daemon's log, on standard error: JSON lines, or text (`level message key=value`). Under journald text lines bear its priorities
 * instead of the time, which it has itself.
 */
export function createLog(options: { readonly level: string; readonly format: 'text' | 'json' }): Logger {
  const journald = process.env['JOURNAL_STREAM'] !== undefined
  const settings = { level: options.level, base: null }
  if (options.format === 'json') return pino({ ...settings, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }))
  return pino(settings, { write: (line: string) => writeLine(textLine(JSON.parse(line) as Record<string, unknown>, journald)) })
}

/** A log that cannot be written must not end the daemon: its reader may have gone. */
function writeLine(text: string): void {
  try {
    writeSync(2, text)
  } catch {
    // Nowhere to say it.
  }
}

/** One record as text. */
export function textLine(record: Readonly<Record<string, unknown>>, journald: boolean): string {
  const { level, time, msg, reqId, err, ...fields } = record
  const number = Number(level)
  const head = journald ? `<${priorities[number] ?? 6}>` : `${new Date(Number(time)).toISOString()} ${(names[number] ?? 'info').padEnd(5)} `
  const error = typeof err === 'object' && err !== null && 'stack' in err ? ` ${String(err.stack)}` : ''
  const rest = Object.entries(reqId === undefined ? fields : { ...fields, request: reqId })
    .map(([key, value]) => ` ${key}=${shown(value)}`)
    .join('')
  return `${head}${typeof msg === 'string' ? msg : ''}${rest}${error.replaceAll('\n', '\n  ')}\n`
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : Array.isArray(value) && value.every((item) => typeof item === 'string') ? value.join(',') : JSON.stringify(value)
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
}
