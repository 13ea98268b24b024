import { EngineError } from '@engine/linux'
import { quote } from './go-text.ts'

const units: Readonly<Record<string, number>> = { ns: 1, us: 1e3, 'µs': 1e3, 'μs': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/**
 * time.ParseDuration: `1.5h`, `300ms`, `-2m3s`, `0`.
 * @returns nanoseconds
 * @throws EngineError invalid-argument with Go's text
 */
export function parseDuration(text: string): number {
  const invalid = (): EngineError => new EngineError('invalid-argument', `time: invalid duration ${quote(text)}`)
  let rest = text.replace(/^[+-]/, '')
  const sign = text.startsWith('-') ? -1 : 1
  if (rest === '0') return 0
  if (rest === '') throw invalid()
  let total = 0
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest)
    const digits = number?.[0] ?? ''
    if (digits === '' || digits === '.') throw invalid()
    rest = rest.slice(digits.length)
    const unit = /^[^\d.]*/.exec(rest)?.[0] ?? ''
    if (unit === '') throw new EngineError('invalid-argument', `time: missing unit in duration ${quote(text)}`)
    const factor = units[unit]
    if (factor === undefined) throw new EngineError('invalid-argument', `time: unknown unit ${quote(unit)} in duration ${quote(text)}`)
    rest = rest.slice(unit.length)
    total += Math.trunc(Number(digits) * factor)
    if (total >= 2 ** 63) throw invalid()
  }
  return sign * total
}

/** time.Duration's String: `1h30m0s`, `1.5ms`, `0s`. */
export function showDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s'
  const sign = nanoseconds < 0 ? '-' : ''
  const value = Math.abs(nanoseconds)
  if (value < 1e3) return `${sign}${value}ns`
  if (value < 1e6) return `${sign}${decimal(value / 1e3, 3)}µs`
  if (value < 1e9) return `${sign}${decimal(value / 1e6, 6)}ms`
  const hours = Math.floor(value / 3600e9)
  const minutes = Math.floor((value % 3600e9) / 60e9)
  const seconds = decimal((value % 60e9) / 1e9, 9)
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`
}

function decimal(value: number, places: number): string {
  return value.toFixed(places).replace(/\.?0+$/, '')
}
