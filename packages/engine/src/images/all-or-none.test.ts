import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineError } from '@engine/linux'
import { allOrNone } from './all-or-none.ts'

const never = new AbortController().signal
/** Ends only when it is broken off. */
const broken = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new EngineError('cancelled', 'broken off'))))

test('results come in the order of the items', async () => {
  assert.deepEqual(await allOrNone([3, 1, 2], never, async (item) => item * 2), [6, 2, 4])
})

test('the first failure breaks off the others, and is what is thrown', async () => {
  await assert.rejects(allOrNone(['waits', 'fails', 'waits'], never, (item, signal) => (item === 'fails' ? Promise.reject(new EngineError('unavailable', 'the reason')) : broken(signal))), { message: 'the reason' })
})

test('all are broken off from outside', async () => {
  const outside = new AbortController()
  const all = allOrNone([1, 2], outside.signal, (_, signal) => broken(signal))
  outside.abort()
  await assert.rejects(all, { message: 'broken off' })
})
