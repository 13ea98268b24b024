import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Semaphore } from './semaphore.ts'

describe('a semaphore', () => {
  it('lets through so many, in order, and drops who does not wait any more', async () => {
    const semaphore = new Semaphore(1)
    const hold = Promise.withResolvers<undefined>()
    const order: string[] = []
    const client = new AbortController()
    const onWait = (): void => void order.push('waits')
    const first = semaphore.run(() => hold.promise)
    const gone = semaphore.run(async () => void order.push('gone'), { signal: client.signal, onWait })
    const next = semaphore.run(async () => void order.push('next'), { onWait })
    client.abort()
    await assert.rejects(gone, { code: 'cancelled' })
    hold.resolve(undefined)
    await Promise.all([first, next])
    assert.deepEqual(order, ['waits', 'waits', 'next'])
  })

  it('has its place again after work that failed', async () => {
    const semaphore = new Semaphore(1)
    await assert.rejects(semaphore.run(() => Promise.reject(new Error('broken'))), /broken/)
    assert.equal(await semaphore.run(async () => 'done', { signal: AbortSignal.abort() }), 'done')
  })
})
