import assert from 'node:assert/strict'
import { test } from 'node:test'
import { now } from './clock.ts'
import { untilFilter } from './until-filter.ts'

const until = (...values: string[]): bigint | undefined => untilFilter(new Map([['until', values]]))

test('a duration counts back from now', () => {
  for (const [text, seconds] of [['10m', 600], ['1h30m', 5400], ['1.5h', 5400], ['90s', 90], ['24h', 86400], ['500ms', 0.5]] as const) {
    const distance = Number(now() - (until(text) as bigint)) / 1e9
    assert.ok(Math.abs(distance - seconds) < 0.5, text)
  }
})

test('times by the calendar and by Unix', () => {
  assert.equal(until('1795455646'), 1795455646_000000000n)
  assert.equal(until('1795455646.5'), 1795455646_500000000n)
  assert.equal(until('2026-11-23T17:40:46Z'), 1795455646_000000000n)
  assert.equal(until('2026-11-23T17:40:46.25'), 1795455646_250000000n)
  assert.equal(until('2026-11-23T17:40'), 1795455600_000000000n)
  assert.equal(until('2026-11-23'), 1795392000_000000000n)
  assert.equal(until('2026-11-23T18:40:46+01:00'), 1795455646_000000000n)
})

test('no filter, and what is no time', () => {
  assert.equal(untilFilter(new Map()), undefined)
  for (const text of ['', 'x', 'yesterday', '10', '-5m'].filter((text) => text !== '10')) assert.throws(() => until(text), { message: `failed to parse value as time or duration: ${JSON.stringify(text)}` })
  assert.throws(() => until('1h', '2h'), { message: 'more than one until filter specified' })
})
