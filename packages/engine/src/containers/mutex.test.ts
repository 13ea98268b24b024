import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { Mutex } from './mutex.ts'

test('one at a time, in the order of asking, failures included', async () => {
  const mutex = new Mutex()
  const order: string[] = []
  const work = (name: string, fail = false) =>
    mutex.run(async () => {
      order.push(`${name}+`)
      await sleep(2)
      order.push(`${name}-`)
      if (fail) throw new Error(name)
      return name
    })
  const results = await Promise.allSettled([work('a'), work('b', true), work('c')])
  assert.deepEqual(order, ['a+', 'a-', 'b+', 'b-', 'c+', 'c-'])
  assert.deepEqual(results.map((result) => result.status), ['fulfilled', 'rejected', 'fulfilled'])
  assert.equal(mutex.busy, false)
})

test('work asked for while the last one is ending still waits for it', async () => {
  const mutex = new Mutex()
  let inside = 0
  const once = () =>
    mutex.run(async () => {
      assert.equal(++inside, 1)
      await sleep(0)
      inside--
    })
  const first = once()
  await Promise.all([first, first.then(once), once(), once().then(once)])
})
