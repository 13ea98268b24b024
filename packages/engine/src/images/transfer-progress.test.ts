import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { humanSize, progressBar, ProgressQueue, reporting } from './transfer-progress.ts'

describe('progress', () => {
  it('has the bars that dockerd sends', () => {
    // Recorded from Docker 28.5.2.
    assert.equal(progressBar(99, 99), '[==================================================>]      99B/99B')
    assert.equal(progressBar(32_768, 3_146_568), '[>                                                  ]  32.77kB/3.147MB')
    assert.equal(progressBar(32_768, 1_083_757), '[=>                                                 ]  32.77kB/1.084MB')
    assert.equal(progressBar(512, 4), '[==================================================>]     512B')
    assert.equal(humanSize(2_129_920), '2.13MB')
  })

  it('keeps of a fast bar only the newest line, and all others', async () => {
    const queue = new ProgressQueue()
    queue.push({ status: 'first' })
    queue.bar('a', 'Downloading', 1, 100)
    queue.bar('a', 'Downloading', 2, 100)
    queue.bar('a', 'Downloading', 100, 100)
    queue.push({ status: 'last' })
    queue.end()
    const lines = await Array.fromAsync(queue)
    assert.deepEqual(lines.map(({ status, progressDetail }) => [status, (progressDetail as { current?: number } | undefined)?.current]), [['first', undefined], ['Downloading', 100], ['last', undefined]])
  })

  it('ends its task when nobody listens any more, and throws what the task throws', async () => {
    let ended = false
    const endless = reporting(new AbortController().signal, async (queue, signal) => {
      queue.push({ status: 'x' })
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      ended = true
    })
    for await (const _ of endless) break
    assert.ok(ended)
    await assert.rejects(Array.fromAsync(reporting(new AbortController().signal, () => Promise.reject(new Error('wrong')))), { message: 'wrong' })
  })
})
