import assert from 'node:assert/strict'
import { test } from 'node:test'
import { restartDelay, startsWithDaemon } from './restart-policy.ts'

const policy = (Name: string, MaximumRetryCount = 0) => ({ Name, MaximumRetryCount })
const ended = (change: Partial<Parameters<typeof restartDelay>[1]> = {}) => ({ exitCode: 1, ran: 10, restartCount: 0, cancelled: false, manuallyStopped: false, ...change })

test('the delay doubles from 100 ms up to a minute', () => {
  const delays: number[] = []
  for (let delay = 0, i = 0; i < 12; i++) {
    delay = restartDelay(policy('always'), ended({ restartCount: i }), delay) ?? -1
    delays.push(delay)
  }
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000])
})

test('ten seconds of running begin anew', () => {
  assert.equal(restartDelay(policy('always'), ended({ ran: 10_000 }), 25600), 100)
  assert.equal(restartDelay(policy('always'), ended({ ran: 9_999 }), 25600), 51200)
})

test('who is started again', () => {
  assert.equal(restartDelay(policy('no'), ended(), 0), undefined)
  assert.equal(restartDelay(policy('always'), ended({ exitCode: 0 }), 0), 100)
  assert.equal(restartDelay(policy('unless-stopped'), ended({ exitCode: 0 }), 0), 100)
  assert.equal(restartDelay(policy('unless-stopped'), ended({ cancelled: true }), 0), undefined)
  // By a signal that was not its stop signal: `docker kill -s USR1` of a container with `--stop-signal INT`.
  assert.equal(restartDelay(policy('unless-stopped'), ended({ manuallyStopped: true }), 0), undefined)
  assert.equal(restartDelay(policy('always'), ended({ manuallyStopped: true }), 0), 100)
  assert.equal(restartDelay(policy('on-failure'), ended({ manuallyStopped: true }), 0), 100)
  assert.equal(restartDelay(policy('on-failure'), ended({ exitCode: 0 }), 0), undefined)
  assert.equal(restartDelay(policy('on-failure'), ended({ restartCount: 1000 }), 100), 200)
  assert.equal(restartDelay(policy('on-failure', 2), ended({ restartCount: 1 }), 100), 200)
  assert.equal(restartDelay(policy('on-failure', 2), ended({ restartCount: 2 }), 200), undefined)
})

test('who is started with the daemon', () => {
  const state = { manuallyStopped: true, exitCode: 1, restartCount: 0 }
  assert.equal(startsWithDaemon(policy('always'), state), true)
  assert.equal(startsWithDaemon(policy('unless-stopped'), state), false)
  assert.equal(startsWithDaemon(policy('unless-stopped'), { ...state, manuallyStopped: false }), true)
  assert.equal(startsWithDaemon(policy('on-failure'), state), true)
  assert.equal(startsWithDaemon(policy('on-failure'), { ...state, exitCode: 0 }), false)
  assert.equal(startsWithDaemon(policy('on-failure', 2), { ...state, restartCount: 2 }), false)
  assert.equal(startsWithDaemon(policy('no'), { ...state, manuallyStopped: false }), false)
})
