import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { connect, frames, type EventMessage, type ProgressLine } from '@engine/api/client'
import type { EngineEvent } from '@engine/engine'
import { failing } from './testing/fake-engine.ts'
import { eventually, serveFake, Wire } from './testing/sockets.ts'

const event = (Action: string, timeNano = 1_795_455_847_123_456_789n): EngineEvent => ({
  Type: 'container', Action, Actor: { ID: 'c', Attributes: {} }, scope: 'local', time: 1_795_455_847, timeNano,
})

describe('wait', () => {
  it('sends its headers before the container ends', async () => {
    await using api = await serveFake()
    const { promise, resolve } = Promise.withResolvers<{ StatusCode: number }>()
    api.verbs['containers.wait'] = async () => ({ result: promise })
    using wire = new Wire(api.path)
    wire.request('POST /v1.51/containers/x/wait?condition=next-exit')
    const headers = await wire.until('\r\n\r\n')
    assert.match(headers, /^HTTP\/1\.1 200/)
    resolve({ StatusCode: 3 })
    assert.match(await wire.until('0\r\n\r\n'), /\{"StatusCode":3\}\n/)
    wire.request('GET /_ping')
    assert.equal((await wire.answer()).body, 'OK')
  })

  it('is given up when the client goes away', async () => {
    await using api = await serveFake()
    let signal: AbortSignal | undefined
    api.verbs['containers.wait'] = async (_ref: never, _condition: never, given: AbortSignal) => {
      signal = given
      return { result: new Promise((_resolve, reject) => given.addEventListener('abort', () => reject(given.reason as Error))) }
    }
    const wire = new Wire(api.path)
    wire.request('POST /containers/x/wait')
    await wire.until('\r\n\r\n')
    wire.socket.destroy()
    await eventually(() => signal?.aborted === true)
    assert.deepEqual(api.logged, [])
  })
})

describe('events', () => {
  it('come one per line, their nanoseconds whole, after headers that are sent at once', async () => {
    await using api = await serveFake()
    const { promise, resolve } = Promise.withResolvers<void>()
    api.verbs['system.events'] = async function* () {
      await promise
      yield event('start')
      yield event('die')
    }
    using wire = new Wire(api.path)
    wire.request('GET /v1.51/events')
    assert.match(await wire.until('\r\n\r\n'), /Content-Type: application\/json\r\n/)
    resolve()
    const line = await wire.until('}\n')
    assert.ok(line.endsWith('"timeNano":1795455847123456789}\n'), line)
    assert.match(await wire.until('0\r\n\r\n'), /"die"/)
  })

  it('keep what a version did not know from it', async () => {
    await using api = await serveFake()
    api.verbs['system.events'] = async function* () {
      yield { ...event('create'), Type: 'image' }
      yield event('exec_die')
      yield event('die')
    }
    const seen = async (version: string): Promise<string[]> => {
      const names: string[] = []
      const stream = await connect(`unix://${api.path}`, { version }).stream('GET', '/events')
      for await (const { Action } of stream.lines<EventMessage>()) names.push(Action)
      return names
    }
    assert.deepEqual(await seen('1.35'), ['die'])
    assert.deepEqual(await seen('1.45'), ['exec_die', 'die'])
    assert.deepEqual(await seen('1.46'), ['create', 'exec_die', 'die'])
  })

  it('with filters that are refused are an error, not an empty stream', async () => {
    await using api = await serveFake()
    api.verbs['system.events'] = () => failing(new EngineError('invalid-argument', "invalid filter 'x'"))
    await assert.rejects(connect(`unix://${api.path}`).stream('GET', '/events'), { status: 400, message: "invalid filter 'x'" })
  })

  it('end when the client or the daemon does', async () => {
    await using api = await serveFake()
    let running = 0
    api.verbs['system.events'] = async function* (_options: never, signal: AbortSignal) {
      running++
      try {
        if (!signal.aborted) await once(signal, 'abort')
        yield* []
      } finally {
        running--
      }
    }
    const wire = new Wire(api.path)
    wire.request('GET /events')
    await wire.until('\r\n\r\n')
    assert.equal(running, 1)
    wire.socket.destroy()
    await eventually(() => running === 0)
    using second = new Wire(api.path)
    second.request('GET /events')
    await second.until('\r\n\r\n')
    api.closing.abort()
    assert.equal(await second.until('0\r\n\r\n'), '0\r\n\r\n')
    assert.deepEqual(api.logged, [])
  })
})

describe('logs', () => {
  it('are framed, and say so', async () => {
    await using api = await serveFake()
    const { body, headers } = await connect(`unix://${api.path}`).stream('GET', '/containers/x/logs', { query: { stdout: true, stderr: true, tail: '5', since: '1.5' } })
    assert.equal(headers['content-type'], 'application/vnd.docker.multiplexed-stream')
    const seen: string[] = []
    for await (const { stream, data } of frames(body)) seen.push(`${stream} ${data.toString()}`)
    assert.deepEqual(seen, ['stdout out\n', 'stderr err\n'])
    const options = api.asked.at(-1)?.args[1]
    assert.deepEqual(options, { follow: false, stdout: true, stderr: true, since: 1_500_000_000n, until: undefined, timestamps: false, details: false, tail: 5 })
  })

  it('of a terminal are raw', async () => {
    await using api = await serveFake()
    api.verbs['containers.logs'] = async () => ({
      tty: true,
      batches: (async function* () {
        yield Buffer.from('raw')
      })(),
    })
    const { body, headers } = await connect(`unix://${api.path}`).stream('GET', '/containers/x/logs', { query: { stdout: 1 } })
    assert.equal(headers['content-type'], 'application/vnd.docker.raw-stream')
    assert.equal((await body.toArray()).join(''), 'raw')
  })

  it('are read no faster than the client takes them, and let go of when it leaves', async () => {
    await using api = await serveFake()
    let given = 0
    let over = false
    api.verbs['containers.logs'] = async () => ({
      tty: true,
      batches: (async function* (): AsyncIterable<Buffer> {
        try {
          for (;;) {
            given++
            yield Buffer.alloc(1 << 16)
          }
        } finally {
          over = true
        }
      })(),
    })
    const wire = new Wire(api.path)
    wire.socket.pause()
    wire.request('GET /containers/x/logs?stdout=1&follow=1')
    await sleep(150)
    const stuck = given
    await sleep(100)
    assert.equal(given, stuck)
    assert.ok(stuck < 40, `${stuck} blocks of 64 KiB`)
    wire.socket.destroy()
    await eventually(() => over)
    assert.deepEqual(api.logged, [])
  })
})

describe('progress', () => {
  const tar = Buffer.alloc(300_000, 1)

  it('is one object per line, while the body is read', async () => {
    await using api = await serveFake()
    const stream = await connect(`unix://${api.path}`).stream('POST', '/build', { body: tar, query: { t: ['a', 'b'], buildargs: { x: '1', y: null }, labels: { l: 'v' } } })
    let length = 0
    for await (const line of stream.lines<ProgressLine>()) length += Number(line.stream)
    assert.equal(length, tar.length)
    const options = api.asked.at(-1)?.args[1] as Record<string, unknown>
    assert.deepEqual([options['tags'], options['buildArgs'], options['labels'], options['remove']], [['a', 'b'], { x: '1', y: null }, { l: 'v' }, true])
    using wire = new Wire(api.path)
    wire.request('POST /images/create?fromSrc=-&repo=a', ['Content-Length: 3'], 'abc')
    assert.match(await wire.until('0\r\n\r\n'), /\{"status":"3"\}\r\n/)
  })

  it('that fails before its first line is an HTTP error, later a last line', async () => {
    await using api = await serveFake()
    const client = connect(`unix://${api.path}`)
    api.verbs['images.build'] = () => failing(new EngineError('invalid-argument', 'no Dockerfile'))
    await assert.rejects(client.stream('POST', '/build', { body: tar }), { status: 400, message: 'no Dockerfile' })
    api.verbs['images.build'] = async function* () {
      yield { stream: 'Step 1' }
      throw new EngineError('internal', 'RUN failed')
    }
    const lines: unknown[] = []
    for await (const line of (await client.stream('POST', '/build', { body: tar })).lines()) lines.push(line)
    assert.deepEqual(lines, [{ stream: 'Step 1' }, { errorDetail: { message: 'RUN failed' }, error: 'RUN failed' }])
  })

  it('is kept on its connection when the body is given up', async () => {
    await using api = await serveFake()
    api.verbs['images.build'] = (context: Readable) => {
      context.destroy()
      return failing(new EngineError('invalid-argument', 'no Dockerfile'))
    }
    using wire = new Wire(api.path)
    for (const [headers, body] of [
      [['Content-Length: 0'], ''],
      [[`Content-Length: ${tar.length}`], tar.toString('latin1')],
      [['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n'],
    ] as const) {
      wire.request('POST /build', headers, body)
      const answer = await wire.answer()
      assert.deepEqual([answer.status, answer.body], [400, '{"message":"no Dockerfile"}\n'])
    }
    wire.request('GET /_ping')
    assert.equal((await wire.answer()).body, 'OK')
  })

  it('fails when the client goes away within its body', async () => {
    await using api = await serveFake()
    let failure: unknown
    api.verbs['images.build'] = async function* (context: Readable) {
      try {
        for await (const chunk of context as AsyncIterable<Buffer>) yield { stream: String(chunk.length) }
      } catch (error) {
        failure = error
        throw error
      }
    }
    const wire = new Wire(api.path)
    wire.request('POST /build', ['Content-Length: 1000'], 'abc')
    await wire.until('{"stream":"3"}')
    wire.socket.destroy()
    await eventually(() => failure instanceof Error)
  })

  it('of a build is given up when the client goes away', async () => {
    await using api = await serveFake()
    let aborted = false
    api.verbs['images.build'] = async function* (_context: never, _options: never, signal: AbortSignal) {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      yield { stream: 'Step 1' }
      await once(signal, 'abort')
    }
    const wire = new Wire(api.path)
    wire.request('POST /build', ['Content-Length: 0'])
    await wire.until('Step 1')
    wire.socket.destroy()
    await eventually(() => aborted)
  })
})
