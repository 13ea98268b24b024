import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SharedWork } from './shared-work.ts'

const ignore = (): void => undefined

describe('shared work', () => {
  it('is done once, and goes on for those who stay', async () => {
    const shared = new SharedWork<string, number>()
    const finish = Promise.withResolvers<string>()
    let begun = 0
    const work = async (_signal: AbortSignal, report: (progress: number) => void): Promise<string> => {
      begun++
      report(1)
      return await finish.promise
    }
    const [one, two] = [new AbortController(), new AbortController()]
    const heard: number[] = []
    const first = shared.run('k', one.signal, ignore, work)
    const second = shared.run('k', two.signal, (progress) => heard.push(progress), work)
    one.abort()
    await assert.rejects(first, { code: 'cancelled' })
    finish.resolve('done')
    assert.equal(await second, 'done')
    assert.deepEqual([begun, heard], [1, [1]])
    assert.equal(await shared.run('k', two.signal, ignore, async () => 'anew'), 'anew')
  })

  it('is cancelled when the last has left', async () => {
    const shared = new SharedWork<string, number>()
    const client = new AbortController()
    let cancelled = false
    const waiting = shared.run('k', client.signal, ignore, (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => {
      cancelled = true
      reject(new Error('cancelled'))
    })))
    client.abort()
    await assert.rejects(waiting, { code: 'cancelled' })
    assert.ok(cancelled)
  })
})
