import { EngineError } from '@engine/linux'
import { now, parseRfc3339 } from './clock.ts'
import type { Filters } from './interface.ts'

const units: Readonly<Record<string, bigint>> = { ns: 1n, us: 1_000n, 'µs': 1_000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n }

/**
 * The moment of an `until` filter, in nanoseconds since the epoch: a Go duration back from now (`24h`, `1h30m`), a Unix time, or
 * RFC 3339 with or without its end. undefined without the filter.
 * @throws EngineError invalid-argument in Docker's words
 */
export function untilFilter(filters: Filters): bigint | undefined {
  const values = filters.get('until') ?? []
  if (values.length === 0) return undefined
  if (values.length > 1) throw new EngineError('invalid-argument', 'more than one until filter specified')
  const text = values[0] as string
  const moment = duration(text) ?? unixTime(text) ?? calendar(text)
  if (moment === undefined) throw new EngineError('invalid-argument', `failed to parse value as time or duration: ${JSON.stringify(text)}`)
  return moment
}

function duration(text: string): bigint | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
  let back = 0n
  for (const [, number = '', , unit = ''] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    const [whole = '0', fraction = ''] = number.split('.')
    const one = units[unit] as bigint
    back += BigInt(whole) * one + (BigInt(fraction.slice(0, 9).padEnd(9, '0')) * one) / 1_000_000_000n
  }
  return now() - back
}

function unixTime(text: string): bigint | undefined {
  const match = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text)
  return match === null ? undefined : BigInt(match[1] as string) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'))
}

function calendar(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text)
  if (match === null) return undefined
  const [, date = '', time = '', zone = 'Z'] = match
  const [clock = '', fraction] = time.split('.')
  const full = `${date}T${`${clock}${clock === '' ? '00' : ''}:00:00`.slice(0, 8)}${fraction === undefined ? '' : `.${fraction}`}${zone}`
  const moment = parseRfc3339(full)
  return moment === 0n ? undefined : moment
}
