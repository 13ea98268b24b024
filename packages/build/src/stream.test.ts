import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineError } from '@engine/linux'
import { BuildFailure } from './failure.ts'
import type { BuildLine } from './output.ts'
import { streamOf, type WriteLine } from './stream.ts'

const never = new AbortController().signal

async function all(lines: AsyncIterable<BuildLine>): Promise<BuildLine[]> {
  const collected: BuildLine[] = []
  for await (const line of lines) collected.push(line)
  return collected
}

async function collect(quiet: boolean, work: (write: WriteLine, signal: AbortSignal) => Promise<string>): Promise<BuildLine[]> {
  return all(streamOf(quiet, never, work))
}

test('lines come as they are written', async () => {
  assert.deepEqual(await collect(false, async (write) => {
    await write({ stream: 'a' })
    await write({ aux: { ID: 'x' } })
    return 'sha256:1'
  }), [{ stream: 'a' }, { aux: { ID: 'x' } }])
})

test('a failure before the first line is thrown, later it is a line', async () => {
  const failure = new EngineError('invalid-argument', 'no')
  await assert.rejects(collect(false, async () => Promise.reject(failure)), failure)
  assert.deepEqual(await collect(false, async (write) => {
    await write({ stream: 'a' })
    throw new BuildFailure('The command failed', 7)
  }), [{ stream: 'a' }, { errorDetail: { code: 7, message: 'The command failed' }, error: 'The command failed' }])
  assert.deepEqual((await collect(false, async (write) => {
    await write({ stream: 'a' })
    throw failure
  })).at(-1), { errorDetail: { message: 'no' }, error: 'no' })
})

test('a quiet build tells its id, or when it failed everything', async () => {
  const work = (fail: boolean) => async (write: WriteLine): Promise<string> => {
    await write({ stream: 'a' })
    await write({ aux: { ID: 'x' } })
    if (fail) throw new EngineError('internal', 'no')
    return 'sha256:1'
  }
  assert.deepEqual(await collect(true, work(false)), [{ stream: 'sha256:1\n' }])
  assert.deepEqual(await collect(true, work(true)), [{ stream: 'a' }, { errorDetail: { message: 'no' }, error: 'no' }])
})

test('a writer waits for a slow reader', async () => {
  let written = 0
  const lines = streamOf(false, never, async (write) => {
    for (; written < 1000; written++) await write({ stream: String(written) })
    return ''
  })
  await lines.next()
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.ok(written < 100, String(written))
  assert.equal((await all(lines)).length, 999)
})

test('a reader that leaves ends the work and waits for its end', async () => {
  let ended = false
  const lines = streamOf(false, never, async (write, signal) => {
    await write({ stream: 'a' })
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await new Promise((resolve) => setTimeout(resolve, 10))
    ended = true
    throw signal.reason
  })
  for await (const line of lines) {
    assert.deepEqual(line, { stream: 'a' })
    break
  }
  assert.ok(ended)
})

test('a raised signal ends the stream without a word', async () => {
  const controller = new AbortController()
  const lines = streamOf(false, controller.signal, async (write, signal) => {
    await write({ stream: 'a' })
    controller.abort()
    signal.throwIfAborted()
    return ''
  })
  assert.deepEqual(await all(lines), [{ stream: 'a' }])
})
