const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1, us: 1e3, 'µs': 1e3, 'μs': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9,
}

/**
 * Reads a duration as Go's time.ParseDuration does (`1h30m`, `1.5s`, `300ms`), in nanoseconds.
 * @throws Error with Go's text
 */
export function readDuration(given: string): number {
  const invalid = (why: string): Error => new Error(`time: ${why}duration ${JSON.stringify(given)}`)
  const sign = given.startsWith('-') ? -1 : 1
  let rest = given.replace(/^[+-]/, '')
  if (rest === '0') return 0
  if (rest === '') throw invalid('invalid ')
  let total = 0
  while (rest !== '') {
    const number = /^([0-9]+\.?[0-9]*|\.[0-9]+)/.exec(rest)?.[0]
    if (number === undefined) throw invalid('invalid ')
    rest = rest.slice(number.length)
    const unit = /^[^0-9.]+/.exec(rest)?.[0]
    if (unit === undefined) throw invalid('missing unit in ')
    const scale = nanoseconds[unit]
    if (scale === undefined) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(given)}`)
    total += Number(number) * scale
    rest = rest.slice(unit.length)
  }
  return sign * Math.trunc(total)
}

/**
 * Reads a moment as the docker command does for `--since` and `--until`: a Go duration ago (`10m`), RFC 3339 (also cut short:
 * `2026-01-02`, `2026-01-02T15:04`), or Unix seconds with a fraction. Yields Unix seconds, `<seconds>.<nanoseconds>`.
 * @param now milliseconds since the epoch
 * @throws Error with docker's text
 */
export function readMoment(given: string, now: number): string {
  if (/^[+-]?[0-9]+(\.[0-9]+)?$/.test(given)) return given
  const absolute = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::(\d{2})(?::(\d{2})(\.\d+)?)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(given)
  if (absolute !== null) {
    const [, day, hour = '00', minute = '00', second = '00', fraction = '', zone = ''] = absolute
    const milliseconds = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`)
    if (!Number.isNaN(milliseconds)) return `${milliseconds / 1000}.${fraction.slice(1).padEnd(9, '0').slice(0, 9)}`
  }
  try {
    const ago = readDuration(given)
    const at = BigInt(Math.trunc(now)) * 1_000_000n - BigInt(ago)
    return `${at / 1_000_000_000n}.${String(at % 1_000_000_000n).padStart(9, '0')}`
  } catch {
    throw new Error(`failed to parse value as time or duration: ${JSON.stringify(given)}`)
  }
}
