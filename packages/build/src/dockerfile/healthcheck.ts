import { EngineError } from '@engine/linux'
import { parseDuration, showDuration } from './duration.ts'
import { parseFlags } from './flags.ts'
import { quote, showList } from './go-text.ts'
import type { Healthcheck } from './instruction-types.ts'
import type { Node } from './parse.ts'

const flagKinds = { interval: 'text', timeout: 'text', 'start-period': 'text', 'start-interval': 'text', retries: 'text' } as const
const durations = [['interval', 'Interval'], ['timeout', 'Timeout'], ['start-period', 'StartPeriod'], ['start-interval', 'StartInterval']] as const

/** Nanoseconds: the shortest that Docker takes. */
const shortest = 1e6

/** HEALTHCHECK's arguments and flags. @throws EngineError invalid-argument with BuildKit's text */
export function parseHealthcheck(node: Node): Healthcheck {
  const [written, ...args] = node.args
  if (written === undefined) throw failure('HEALTHCHECK requires at least one argument')
  const type = written.toUpperCase()
  if (type === 'NONE') {
    if (args.length > 0) throw failure('HEALTHCHECK NONE takes no arguments')
    return { Test: ['NONE'] }
  }
  const flags = parseFlags(node.flags, flagKinds)
  if (type !== 'CMD') throw failure(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`)
  if (args.length === 0) throw failure('Missing command after HEALTHCHECK CMD')
  const health: Healthcheck = { Test: node.json ? ['CMD', ...args] : ['CMD-SHELL', args.join(' ')] }
  for (const [flag, key] of durations) {
    const text = flags.get(flag)?.[0] ?? ''
    const duration = text === '' ? 0 : parseDuration(text)
    if (duration === 0) continue
    if (duration < shortest) throw failure(`Interval ${quote(flag)} cannot be less than 1ms`)
    health[key] = duration
  }
  const retries = flags.get('retries')?.[0] ?? ''
  if (retries !== '') {
    const count = parseRetries(retries)
    if (count > 0) health.Retries = count
  }
  return health
}

function parseRetries(text: string): number {
  const failed = `strconv.ParseInt: parsing ${quote(text)}`
  if (!/^[+-]?\d+$/.test(text)) throw failure(`${failed}: invalid syntax`)
  const count = Number(text)
  if (count > 0x7fffffff || count < -0x80000000) throw failure(`${failed}: value out of range`)
  if (count < 0) throw failure(`--retries cannot be negative (${count})`)
  return count
}

/** A health check as histories show it, which is how Go's `%v` prints the structure: `&{[NONE] 0s 0s 0s 0s 0}`. */
export function showHealthcheck(health: Healthcheck): string {
  const times = [health.Interval, health.Timeout, health.StartPeriod, health.StartInterval].map((time) => showDuration(time ?? 0))
  return `&{${[showList(health.Test ?? []), ...times, health.Retries ?? 0].join(' ')}}`
}

function failure(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
