import { isAtLeast, RequestError } from '@engine/api'
import type { EngineEvent } from '@engine/engine'
import { SENT, type Call, type Handlers } from '../call.ts'

/** Serves GET /events. */
export const events: Handlers<'SystemEvents'> = { SystemEvents }

async function SystemEvents(call: Call<'SystemEvents'>): Promise<unknown> {
  const { engine, query, signal, version } = call
  const { since, until } = query
  if (since !== undefined && until !== undefined && since > until) {
    throw new RequestError(`\`since\` time (${seconds(since)}) cannot be after \`until\` time (${seconds(until)})`)
  }
  const source = engine.system.events({ since, until, filters: query.filters }, signal)[Symbol.asyncIterator]()
  // Asked for before the headers go out: whoever has them can count on every event from then on.
  const first = source.next()
  const early = await Promise.race([first.then(() => undefined, (error: unknown) => ({ error })), new Promise<undefined>((resolve) => setImmediate(resolve, undefined))])
  if (early !== undefined) throw early.error
  const stream = call.stream({ 'Content-Type': 'application/json' })
  for (let next = await first; next.done !== true; next = await source.next()) {
    if (isKnown(next.value, version)) await stream.write(`${eventLine(next.value)}\n`)
  }
  stream.end()
  return SENT
}

function seconds(nanoseconds: bigint): string {
  return String(nanoseconds / 1_000_000_000n)
}

/** Clients before 1.46 take an image's `create` for a pull; those before 1.36 do not know exec_die (CHANGELOG). */
function isKnown(event: EngineEvent, version: string): boolean {
  if (event.Type === 'image' && event.Action === 'create') return isAtLeast(version, '1.46')
  return event.Action === 'exec_die' ? isAtLeast(version, '1.36') : true
}

/** An event as a line of JSON; its nanoseconds are above 2^53 and are written digit by digit. */
export function eventLine(event: EngineEvent): string {
  return JSON.stringify({ ...event, timeNano: 0 }).replace(/"timeNano":0(?=}$)/, `"timeNano":${event.timeNano}`)
}
