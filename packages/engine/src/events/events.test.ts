import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { now } from '../clock.ts'
import type { EngineEvent } from '../types/event.ts'
import { Events } from './events.ts'

const filters = (entries: Record<string, string[]> = {}) => new Map(Object.entries(entries))
const past = { since: 1n }

async function all(stream: AsyncIterable<EngineEvent>): Promise<string[]> {
  const actions: string[] = []
  for await (const event of stream) actions.push(event.Action)
  return actions
}

function sample(): Events {
  const events = new Events()
  events.publish('container', 'create', 'c1', { name: 'web', image: 'busybox:1', app: 'shop' })
  events.publish('container', 'exec_create: sh -c x', 'c1', { name: 'web', image: 'busybox:1' })
  events.publish('network', 'connect', 'n1', { name: 'bridge', container: 'c1', type: 'bridge' })
  events.publish('container', 'die', 'c2', { name: 'db', image: 'postgres', exitCode: '0' })
  events.publish('image', 'tag', 'sha256:i', { name: 'busybox:latest' })
  return events
}

test('an event has Docker’s fields, old and new, attributes in order', () => {
  const events = new Events()
  const signal = AbortSignal.abort()
  events.publish('container', 'die', 'c', { name: 'n', image: 'i', exitCode: '0' })
  events.publish('network', 'connect', 'x', { name: 'bridge' })
  return (async () => {
    const seen: EngineEvent[] = []
    for await (const event of events.stream({ ...past, until: now(), filters: filters() }, new AbortController().signal)) seen.push(event)
    assert.equal(signal.aborted, true)
    const [die, connect] = seen as [EngineEvent, EngineEvent]
    assert.deepEqual([die.status, die.id, die.from, die.scope], ['die', 'c', 'i', 'local'])
    assert.deepEqual(Object.keys(die.Actor.Attributes), ['exitCode', 'image', 'name'])
    assert.equal(BigInt(die.time), die.timeNano / 1_000_000_000n)
    assert.deepEqual([connect.status, connect.id, connect.from], [undefined, undefined, undefined])
  })()
})

test('filters: values of one key are alternatives, keys and labels must all match', async () => {
  const events = sample()
  const query = (entries: Record<string, string[]>) => all(events.stream({ ...past, until: now(), filters: filters(entries) }, new AbortController().signal))
  assert.equal((await query({})).length, 5)
  assert.deepEqual(await query({ type: ['image', 'network'] }), ['connect', 'tag'])
  assert.deepEqual(await query({ event: ['die', 'create'] }), ['create', 'die'])
  assert.deepEqual(await query({ event: ['exec_create'] }), ['exec_create: sh -c x'])
  assert.deepEqual(await query({ event: ['exec_create: sh -c x'] }), ['exec_create: sh -c x'])
  assert.deepEqual(await query({ container: ['web'] }), ['create', 'exec_create: sh -c x'])
  assert.deepEqual(await query({ container: ['c2'], event: ['create'] }), [])
  assert.deepEqual(await query({ image: ['busybox'] }), ['create', 'exec_create: sh -c x', 'tag'])
  assert.deepEqual(await query({ image: ['busybox:1'] }), ['create', 'exec_create: sh -c x'])
  assert.deepEqual(await query({ label: ['app=shop'] }), ['create'])
  assert.deepEqual(await query({ label: ['app', 'name=db'] }), [])
  assert.deepEqual(await query({ scope: ['swarm'] }), [])
  assert.equal((await query({ foo: ['x'] })).length, 5)
})

test('without a time only what comes is told, from the call on', async () => {
  const events = sample()
  const controller = new AbortController()
  const stream = events.stream({ filters: filters() }, controller.signal)
  assert.equal(events.listeners, 1)
  events.publish('container', 'start', 'c1', {})
  const done = all(stream)
  await sleep(1)
  events.publish('container', 'stop', 'c1', {})
  await sleep(1)
  controller.abort()
  assert.deepEqual(await done, ['start', 'stop'])
  assert.equal(events.listeners, 0)
})

test('past, then live, until the given moment', async () => {
  const events = sample()
  const stream = events.stream({ ...past, until: now() + 20_000_000n, filters: filters({ type: ['container'] }) }, new AbortController().signal)
  events.publish('container', 'start', 'c1', {})
  assert.deepEqual(await all(stream), ['create', 'exec_create: sh -c x', 'die', 'start'])
})

test('a client that stops reading in the middle is forgotten', async () => {
  const events = sample()
  for await (const event of events.stream({ ...past, filters: filters() }, new AbortController().signal)) {
    assert.equal(event.Action, 'create')
    break
  }
  assert.equal(events.listeners, 0)
})

test('old events are let go, and an impossible range is refused', async () => {
  const events = new Events()
  for (let i = 0; i < 3000; i++) events.publish('container', `a${i}`, 'c', {})
  const seen = await all(events.stream({ ...past, until: now(), filters: filters() }, new AbortController().signal))
  assert.equal(seen.length, 1024)
  assert.equal(seen.at(-1), 'a2999')
  assert.throws(() => events.stream({ since: 5_000_000_000n, until: 1_000_000_000n, filters: filters() }, new AbortController().signal), {
    message: '`since` time (5) cannot be after `until` time (1)',
  })
})
