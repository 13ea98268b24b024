import { isDeepStrictEqual } from 'node:util'
import type { Played } from './play.ts'

type Outcome = Omit<Played, 'line'>

/** One thing in which two runs of a line differ. */
export interface Difference {
  /** `status`, `stdout`, `stderr`, `events`; in JSON with a path: `stdout [0].State.Pid`. */
  readonly where: string
  readonly was: unknown
  readonly is: unknown
}

/** In what `is` differs from `was`. Outputs that are JSON are compared field by field, whatever their order. */
export function differencesOf(was: Outcome, is: Outcome): Difference[] {
  const found: Difference[] = []
  for (const part of ['status', 'stderr', 'events'] as const) {
    if (!isDeepStrictEqual(was[part], is[part])) found.push({ where: part, was: was[part], is: is[part] })
  }
  if (isJson(was.stdout) && isJson(is.stdout)) compareValues('stdout ', was.stdout, is.stdout, found)
  else if (!isDeepStrictEqual(was.stdout, is.stdout)) found.push({ where: 'stdout', was: was.stdout, is: is.stdout })
  return found
}

/** A list of texts is output by lines; everything else came out of JSON. */
function isJson(value: unknown): boolean {
  return !Array.isArray(value) || value.some((item) => typeof item !== 'string')
}

function compareValues(path: string, was: unknown, is: unknown, found: Difference[]): void {
  if (isDeepStrictEqual(was, is)) return
  if (Array.isArray(was) && Array.isArray(is) && was.length === is.length) {
    for (const [index, item] of was.entries()) compareValues(`${path}[${index}]`, item, is[index], found)
    return
  }
  if (!isObject(was) || !isObject(is)) {
    found.push({ where: path, was, is })
    return
  }
  for (const name of new Set([...Object.keys(was), ...Object.keys(is)])) compareValues(`${path}.${name}`, was[name], is[name], found)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Gives an event that was told a moment after its line to that line: `docker run` may be back before the container's end is told.
 * @returns `is`, its events moved to the next or the previous line where that makes them those of `was`
 */
export function alignEvents<T extends Outcome>(was: readonly Outcome[], is: readonly T[]): T[] {
  const events = is.map((one) => [...one.events])
  for (const [index, own] of events.entries()) {
    const wanted = was[index]?.events ?? []
    const next = events[index + 1]
    if (next === undefined) break
    while (own.length < wanted.length && next.length > 0 && next[0] === wanted[own.length]) own.push(next.shift() ?? '')
    while (own.length > wanted.length && (was[index + 1]?.events ?? []).includes(own.at(-1) ?? '')) next.unshift(own.pop() ?? '')
  }
  return is.map((one, index) => ({ ...one, events: events[index] ?? [] }))
}
