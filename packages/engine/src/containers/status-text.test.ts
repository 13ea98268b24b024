import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rfc3339 } from '../clock.ts'
import { createdState } from './state.ts'
import { humanDuration, statusText } from './status-text.ts'

test('spans of time as go-units says them', () => {
  for (const [seconds, text] of [
    [0, 'Less than a second'], [1, '1 second'], [59, '59 seconds'], [60, 'About a minute'], [119, 'About a minute'], [120, '2 minutes'], [3599, '59 minutes'],
    [3600, 'About an hour'], [5399, 'About an hour'], [5400, '2 hours'], [47 * 3600, '47 hours'], [48 * 3600, '2 days'], [13 * 86400, '13 days'], [14 * 86400, '2 weeks'],
    [59 * 86400, '8 weeks'], [60 * 86400, '2 months'], [729 * 86400, '24 months'], [730 * 86400, '2 years'],
  ] as const) assert.equal(humanDuration(seconds), text, String(seconds))
})

test('the status of every state', () => {
  const now = 1795455646_000000000n
  const past = (seconds: number): string => rfc3339(now - BigInt(seconds) * 1_000_000_000n)
  const state = { ...createdState(), startedAt: past(180), finishedAt: past(7200), exitCode: 3 }
  for (const [status, text] of [
    ['created', 'Created'], ['running', 'Up 3 minutes'], ['paused', 'Up 3 minutes (Paused)'], ['restarting', 'Restarting (3) 2 hours ago'],
    ['removing', 'Removal In Progress'], ['exited', 'Exited (3) 2 hours ago'], ['dead', 'Dead'],
  ] as const) assert.equal(statusText({ ...state, status }, now), text)
})
