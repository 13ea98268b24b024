import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AnswerCheck } from './harness/answers/answer-check.ts'
import type { AnswerPart } from './harness/answers/answer-part.ts'
import { Contract } from './harness/answers/contract.ts'
import { run } from './harness/command-line.ts'

const skip = Contract.isThere ? false : 'the API description is not there'

const part = (method: string, url: string, status: number, body: unknown, more: Partial<AnswerPart> = {}): AnswerPart => ({
  id: '1', method, url, status, type: 'application/json', ended: true, cut: false, text: body === undefined ? '' : `${JSON.stringify(body)}\n`, ...more,
})

describe('the check of answers', { skip }, () => {
  const found = (...parts: readonly AnswerPart[]): string[] => {
    const check = new AnswerCheck(Contract.load())
    return parts.flatMap((one) => check.violations(one))
  }
  const volume = { Name: 'v', Driver: 'local', Mountpoint: '/v', Labels: {}, Scope: 'local', Options: null }

  it('finds nothing wrong with what is right', () => {
    assert.deepEqual(found(part('GET', '/v1.51/volumes/v', 200, volume), part('POST', '/containers/a/start', 204, undefined, { type: '' }), part('GET', '/containers/none/json', 404, { message: 'No such container: none' })), [])
  })

  it('names operation, status and path of each violation', () => {
    assert.deepEqual(found(part('GET', '/v1.51/volumes/v?x=1', 200, { ...volume, Name: 1, Labels: { a: true }, Scope: 'planet', Weight: 3, Mountpoint: undefined })), [
      'GET /volumes/v (VolumeInspect) 200: .Mountpoint: missing',
      'GET /volumes/v (VolumeInspect) 200: .Name: number for a string',
      'GET /volumes/v (VolumeInspect) 200: .Labels.a: boolean for a string',
      'GET /volumes/v (VolumeInspect) 200: .Scope: "planet" is not in the enumeration',
      'GET /volumes/v (VolumeInspect) 200: .Weight: not in the description',
    ])
    assert.deepEqual(found(part('GET', '/volumes', 200, { Volumes: [volume, { ...volume, Driver: null }], Warnings: [] })), ['GET /volumes (VolumeList) 200: .Volumes[1].Driver: null for a string'])
  })

  it('finds wrong statuses, wrong kinds of body, bodies where none should be', () => {
    assert.deepEqual(found(part('POST', '/containers/a/start', 202, undefined)), ['POST /containers/a/start (ContainerStart) 202: a status that is not in the description'])
    assert.deepEqual(found(part('GET', '/volumes/v', 200, undefined, { type: 'text/html' })), ['GET /volumes/v (VolumeInspect) 200: text/html for a body that is JSON'])
    assert.deepEqual(found(part('GET', '/volumes/v', 404, 'gone')), ['GET /volumes/v (VolumeInspect) 404: : no object'])
    assert.deepEqual(found(part('POST', '/containers/a/stop', 204, {})), ['POST /containers/a/stop (ContainerStop) 204: a body where the description has none'])
  })

  it('reads the lines of a stream, however they come', () => {
    const line = JSON.stringify({ Type: 'planet', Action: 'start', Actor: { ID: 'a', Attributes: {} }, scope: 'local', time: 1, timeNano: 1 })
    const bit = (text: string, ended = false): AnswerPart => part('GET', '/events', 200, undefined, { text, ended })
    assert.deepEqual(found(bit(line.slice(0, 20)), bit(`${line.slice(20)}\n${line}`), bit('\n', true)), Array.from({ length: 2 }, () => 'GET /events (SystemEvents) 200: .Type: "planet" is not in the enumeration'))
    assert.deepEqual(found(bit('{"Type"\n')), ['GET /events (SystemEvents) 200: no JSON: {"Type"'])
  })

  it('leaves answers of older versions alone', () => {
    assert.deepEqual(found(part('GET', '/v1.30/volumes/v', 200, { Name: 1 })), [])
  })
})

describe('the watch over a daemon’s answers', { skip }, () => {
  it('fails the test in which an answer was wrong, and no other', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-watch-'))
    try {
      const file = join(directory, 'fixture.test.ts')
      // A server that is no engine: the recorder is loaded into it as into engined.
      writeFileSync(join(directory, 'server.mjs'), `
        import { createServer } from 'node:http'
        createServer((request, response) => {
          response.setHeader('content-type', 'application/json')
          response.end(request.url === '/volumes/right' ? '{"Name":"v","Driver":"local","Mountpoint":"/v","Labels":{},"Scope":"local","Options":null}' : '{"Name":7}')
        }).listen(process.argv[2], () => process.send('listening'))`)
      writeFileSync(file, `
        import { fork } from 'node:child_process'
        import { once } from 'node:events'
        import { before, after, it } from 'node:test'
        import { api } from ${JSON.stringify(join(import.meta.dirname, 'harness/daemon.ts'))}
        import { watchAnswers } from ${JSON.stringify(join(import.meta.dirname, 'harness/answers/watch.ts'))}
        const socket = ${JSON.stringify(join(directory, 'socket'))}
        let server, watched
        before(async () => {
          watched = watchAnswers(${JSON.stringify(directory)})
          server = fork(${JSON.stringify(join(directory, 'server.mjs'))}, [socket], { execArgv: [...watched.options], env: { ...process.env, ...watched.environment } })
          await once(server, 'message')
        })
        after(async () => {
          server.kill()
          await once(server, 'exit')
          watched.release()
        })
        it('gets right ones first', () => api(socket, 'GET', '/volumes/right'))
        it('gets a wrong one', () => api(socket, 'GET', '/volumes/wrong'))
        it('gets right ones again', () => api(socket, 'GET', '/volumes/right'))`)
      // Without what tells node that it runs below a runner of tests already.
      const { status, stdout } = await run(process.execPath, ['--no-warnings', '--test-reporter=tap', file], { env: { NODE_TEST_CONTEXT: '' } })
      assert.deepEqual(stdout.split('\n').filter((line) => /^(not )?ok/.test(line)), ['ok 1 - gets right ones first', 'not ok 2 - gets a wrong one', 'ok 3 - gets right ones again'])
      assert.match(stdout, /GET \/volumes\/wrong \(VolumeInspect\) 200: \.Name: number for a string/)
      assert.match(stdout, /\.Driver: missing/)
      assert.equal(status, 1)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
