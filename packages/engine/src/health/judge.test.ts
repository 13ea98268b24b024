import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHealthConfig, healthCheck, type HealthResult } from './health.ts'
import { judge, startingHealth, untilNextCheck } from './judge.ts'

const result = (exitCode: number): HealthResult => ({ start: 's', end: 'e', exitCode, output: String(exitCode) })
const check = healthCheck({ Healthcheck: { Test: ['CMD', 'x'], Retries: 2, StartPeriod: 10e9, StartInterval: 1e9, Interval: 7e9 } })

test('failures count after the start period, and in a row; one success heals', () => {
  assert.ok(check !== undefined)
  let health = judge(startingHealth(undefined), result(1), check, 9_000)
  assert.deepEqual([health.status, health.failingStreak, untilNextCheck(health, check, 9_000), untilNextCheck(health, check, 10_000)], ['starting', 0, 1_000, 7_000])
  health = judge(health, result(1), check, 11_000)
  assert.deepEqual([health.status, health.failingStreak], ['starting', 1])
  health = judge(health, result(-1), check, 12_000)
  assert.deepEqual([health.status, health.failingStreak], ['unhealthy', 2])
  health = judge(health, result(0), check, 13_000)
  assert.deepEqual([health.status, health.failingStreak, untilNextCheck(health, check, 1)], ['healthy', 0, 7_000])
  // Once healthy, a failure within the start period counts.
  health = judge(judge(health, result(3), check, 14_000), result(4), check, 15_000)
  assert.deepEqual([health.status, health.log.map(({ exitCode }) => exitCode)], ['unhealthy', [1, -1, 0, 3, 4]])
  assert.deepEqual(startingHealth(health), { status: 'starting', failingStreak: 0, log: health.log })
})

test('a check is CMD or CMD-SHELL with Docker’s times where none are given', () => {
  assert.deepEqual(healthCheck({ Healthcheck: { Test: ['CMD-SHELL', 'a b'] } }), {
    command: ['/bin/sh', '-c', 'a b'], interval: 30_000, timeout: 30_000, startPeriod: 0, startInterval: 5_000, retries: 3,
  })
  assert.deepEqual(healthCheck({ Healthcheck: { Test: ['CMD-SHELL', 'a b'] }, Shell: ['/bin/bash', '-o', 'pipefail', '-c'] })?.command, ['/bin/bash', '-o', 'pipefail', '-c', 'a b'])
  for (const Test of [['NONE'], [], ['FOO', 'x'], null]) assert.equal(healthCheck({ Healthcheck: { Test } }), undefined)
  assert.equal(healthCheck({}), undefined)
})

test('times below a millisecond are refused in Docker’s words', () => {
  checkHealthConfig({ Interval: 1e6, Timeout: 0 })
  checkHealthConfig(null)
  assert.throws(() => checkHealthConfig({ StartInterval: 5 }), { message: 'StartInterval in Healthcheck cannot be less than 1ms' })
  assert.throws(() => checkHealthConfig({ Interval: -5e6 }), { message: 'Interval in Healthcheck cannot be less than 1ms' })
  assert.throws(() => checkHealthConfig({ Retries: -1 }), { message: 'Retries in Healthcheck cannot be negative' })
})
