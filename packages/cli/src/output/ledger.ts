import { goQuote } from './go-quote.ts'

/** One kernel action, as the daemon recorded it. */
export interface LedgerEntry {
  /** Nanoseconds since the epoch, as a decimal string. */
  readonly At: string
  /** Which of the engine's processes made it. */
  readonly Process: string
  /** The request or reason that it was made for. */
  readonly Cause: string
  readonly CauseID: string
  readonly Call: string
  readonly Args: Readonly<Record<string, string | number | boolean>>
  readonly Result: number
  readonly Errno?: string
  readonly Nanoseconds: number
}

/**
 * Shows a ledger for reading: a heading for each cause, and under it a line for each action with its offset from the heading's time, the
 * process that made it, the call with its arguments, what it returned and how long it took.
 */
export function showLedger(entries: readonly LedgerEntry[]): string {
  if (entries.length === 0) return 'No kernel actions are recorded.\n'
  return groups(entries).map(showGroup).join('\n')
}

function groups(entries: readonly LedgerEntry[]): LedgerEntry[][] {
  const byCause = new Map<string, LedgerEntry[]>()
  for (const entry of entries) {
    const key = `${entry.CauseID}\0${entry.Cause}`
    byCause.set(key, [...(byCause.get(key) ?? []), entry])
  }
  return [...byCause.values()].map((group) => group.toSorted((a, b) => Number(BigInt(a.At) - BigInt(b.At))))
}

function showGroup(group: readonly LedgerEntry[]): string {
  const start = BigInt(group[0]?.At ?? '0')
  const calls = group.map((entry) => `${entry.Call}(${Object.entries(entry.Args).map(([name, value]) => `${name}=${showValue(value)}`).join(', ')})`)
  const offsets = group.map((entry) => `+${milliseconds(Number(BigInt(entry.At) - start))}`)
  const offsetWidth = Math.max(...offsets.map((offset) => offset.length))
  const processWidth = Math.max(...group.map((entry) => entry.Process.length))
  // A single long call must not push the results of all others out of sight.
  const callWidth = Math.min(100, Math.max(...calls.map((call) => call.length)))
  const lines = group.map((entry, i) => {
    const result = entry.Errno === undefined ? String(entry.Result) : `${entry.Result} ${entry.Errno}`
    return `  ${(offsets[i] ?? '').padStart(offsetWidth)}  ${entry.Process.padEnd(processWidth)}  ${(calls[i] ?? '').padEnd(callWidth)}  = ${result}  (${microseconds(entry.Nanoseconds)})`
  })
  // A directory that is there already is what was wanted.
  const failed = group.filter((entry) => entry.Errno !== undefined && entry.Errno !== 'EEXIST').length
  const total = group.reduce((sum, entry) => sum + entry.Nanoseconds, 0)
  const summary = `${group.length} ${group.length === 1 ? 'action' : 'actions'}${failed === 0 ? '' : `, ${failed} failed`}, ${milliseconds(total)} in the kernel`
  return `${group[0]?.Cause ?? ''}  ${moment(start)}  (${summary})\n${lines.join('\n')}\n`
}

function showValue(value: string | number | boolean): string {
  return typeof value === 'string' && !/^[\w./:@|+,~=-]+$/.test(value) ? goQuote(value) : String(value)
}

function milliseconds(nanoseconds: number): string {
  return `${(nanoseconds / 1e6).toFixed(2)} ms`
}

function microseconds(nanoseconds: number): string {
  return nanoseconds < 1e6 ? `${(nanoseconds / 1e3).toFixed(0)} µs` : milliseconds(nanoseconds)
}

function moment(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n))
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
