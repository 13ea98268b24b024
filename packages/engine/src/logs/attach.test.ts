import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OutputChunk } from '../interface.ts'
import { attach, type AttachOptions } from './attach.ts'
import type { Subscription } from './types.ts'

let directory = ''
let count = 0

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-attach-'))
})

after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Output that ends when it is told to. */
function endless(chunks: readonly OutputChunk[]): Subscription & { readonly ended: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let over = false
  return {
    get ended() {
      return over
    },
    end: () => {
      over = true
      resolve()
    },
    async *[Symbol.asyncIterator]() {
      yield* chunks
      await promise
    },
  }
}

/** A FIFO as a process's standard input: its read end, and how to open the other. */
function fifo(): { readonly read: number; readonly open: () => Promise<{ fifo: number }> } {
  count += 1
  const path = join(directory, `stdin${count}`)
  execFileSync('mkfifo', [path])
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { read, open: () => Promise.resolve({ fifo: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) }) }
}

function readNow(fd: number): string {
  const buffer = Buffer.alloc(1024 * 1024)
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch {
    return ''
  }
}

const chunk = (stream: 'stdout' | 'stderr', text: string): OutputChunk => ({ stream, data: Buffer.from(text) })
const plain = { tty: false, stdout: true, stderr: true, detachKeys: [16, 17], onDetach: () => undefined } satisfies Partial<AttachOptions>

describe('an attachment', () => {
  it('gives the log first, then output, of the streams that are wanted, until it is detached', async () => {
    async function* before(): AsyncGenerator<OutputChunk> {
      yield chunk('stderr', 'old err ')
      yield await Promise.resolve(chunk('stdout', 'old '))
    }
    const subscription = endless([chunk('stdout', 'new'), chunk('stderr', 'err')])
    const attachment = attach({ ...plain, stderr: false, subscription, before: before() })
    assert.equal(attachment.stdin, undefined)
    let text = ''
    for await (const { data } of attachment.output) {
      text += data.toString()
      if (text.endsWith('new')) attachment.detach()
    }
    assert.equal(text, 'old new')
    assert.ok(subscription.ended)
  })

  it('writes to the process, and closes its input when the client\'s ends', async () => {
    const { read, open } = fifo()
    const subscription = endless([])
    let closed = 0
    const { stdin } = attach({ ...plain, subscription, stdin: { open, once: true, close: async () => void (closed += 1) } })
    stdin?.write('hello ')
    await new Promise((resolve) => stdin?.end('world', () => resolve(undefined)))
    assert.equal(readNow(read), 'hello world')
    await sleep(5)
    assert.equal(readSync(read, Buffer.alloc(1)), 0)
    assert.deepEqual([closed, subscription.ended], [1, false])
    closeSync(read)
  })

  it('ends with the client\'s input when that is not to close the process\'s', async () => {
    const { read, open } = fifo()
    const subscription = endless([])
    const { stdin } = attach({ ...plain, subscription, stdin: { open, once: false, close: () => Promise.reject(new Error('not to be closed')) } })
    await new Promise((resolve) => stdin?.end('x', () => resolve(undefined)))
    assert.ok(subscription.ended)
    closeSync(read)
  })

  it('makes a client wait for a process that does not read, and drops what one that has closed its input would get', async () => {
    const { read, open } = fifo()
    const { stdin } = attach({ ...plain, stdin: { open, once: true, close: () => Promise.resolve() } })
    assert.ok(stdin !== undefined)
    const progress = { taken: 0 }
    const block = Buffer.alloc(64 * 1024, 'x')
    for (let i = 0; i < 8; i++) stdin.write(block, () => (progress.taken += 1))
    await sleep(30)
    assert.ok(progress.taken < 8 && stdin.writableNeedDrain)
    closeSync(read)
    for (let i = 0; i < 100 && progress.taken < 8; i++) await sleep(10)
    assert.equal(progress.taken, 8)
    await new Promise((resolve) => stdin.end(() => resolve(undefined)))
  })

  it('is detached by keys on a terminal only', async () => {
    for (const tty of [true, false]) {
      const { read, open } = fifo()
      const subscription = endless([])
      let detached = 0
      const { stdin } = attach({ ...plain, tty, subscription, onDetach: () => (detached += 1), stdin: { open, once: true, close: () => Promise.resolve() } })
      stdin?.write('a\x10')
      stdin?.write('\x11b')
      await sleep(20)
      assert.equal(readNow(read), tty ? 'a' : 'a\x10\x11b')
      assert.deepEqual([detached, subscription.ended], tty ? [1, true] : [0, false])
      stdin?.destroy()
      closeSync(read)
    }
  })
})
