import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeFrame, FrameDecoder, MAXIMUM_FRAME, PROTOCOL_VERSION, type Frame } from './protocol.ts'
import { parseRequest, requestId } from './guards.ts'

/** Cuts bytes at arbitrary places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length))
}

describe('frames', () => {
  it('come out as they went in, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ id: fc.nat(), method: fc.string(), params: fc.jsonValue() }), { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (messages, places) => {
        const bytes = Buffer.concat(messages.map((message) => encodeFrame(message)))
        const decoder = new FrameDecoder()
        const frames: Frame[] = cut(bytes, places).flatMap((piece) => decoder.push(piece))
        assert.deepEqual(frames.map((frame) => frame.message), JSON.parse(JSON.stringify(messages)))
        assert.ok(frames.every((frame) => frame.version === PROTOCOL_VERSION))
      }),
    )
  })

  it('that are too long, of another version or no JSON are refused', () => {
    const frame = (length: number, version: number, text: string): Buffer => {
      const header = Buffer.alloc(5)
      header.writeUInt32LE(length, 0)
      header.writeUInt8(version, 4)
      return Buffer.concat([header, Buffer.from(text)])
    }
    for (const bad of [frame(0, 1, ''), frame(MAXIMUM_FRAME + 1, 1, ''), frame(3, 0, '{}'), frame(3, PROTOCOL_VERSION + 1, '{}'), frame(3, 1, '{]')]) {
      assert.throws(() => new FrameDecoder().push(bad), { name: 'EngineError', code: 'invalid-argument' })
    }
  })

  it('of arbitrary bytes never give anything but frames or an EngineError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          new FrameDecoder().push(Buffer.from(bytes))
        } catch (error) {
          assert.equal((error as Error).name, 'EngineError')
        }
      }),
    )
  })
})

const container = 'a'.repeat(64)
const ociProcess = {
  terminal: false,
  user: { uid: 0, gid: 0, additionalGids: [] },
  args: ['true'],
  env: [],
  cwd: '/',
  capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
  rlimits: [],
  noNewPrivileges: false,
}
const streams = { container, runDirectory: '/run/x', directory: '/var/x', stdin: false }
const spec = {
  process: ociProcess,
  root: { path: '/root' },
  mounts: [],
  linux: { cgroupsPath: '/engine/x', resources: {}, namespaces: [], devices: [], maskedPaths: [], readonlyPaths: [] },
}
const valid = [
  { method: 'start', params: { ...streams, spec } },
  { method: 'exec', params: { ...streams, exec: container, pid: 5, startTime: '77', cgroupsPath: '/engine/x', process: ociProcess } },
  { method: 'adopt', params: { ...streams, pid: 5, startTime: '77', cgroupsPath: '/engine/x', master: 9 } },
  { method: 'closeStdin', params: { container } },
  { method: 'share', params: { container, exec: container } },
  { method: 'inbox', params: { socket: 9 } },
  { method: 'resize', params: { container, rows: 1, columns: 2 } },
  { method: 'upgrade', params: { path: '/x.cjs' } },
]

describe('requests', () => {
  it('of the right form are taken as they are', () => {
    for (const { method, params } of valid) assert.deepEqual(parseRequest({ id: 1, method, params }), { method, params })
    assert.deepEqual(parseRequest({ id: 1, method: 'list' }), { method: 'list' })
  })

  it('with a part missing or of another kind are refused by name', () => {
    const refused = (method: string, params: object): void => {
      assert.throws(() => parseRequest({ id: 1, method, params }), { name: 'EngineError', code: 'invalid-argument' })
    }
    for (const { method, params } of valid) {
      for (const name of Object.keys(params)) {
        if (name !== 'exec' && name !== 'master') refused(method, { ...params, [name]: undefined })
        if (name !== 'spec' && name !== 'process') refused(method, { ...params, [name]: {} })
      }
    }
    refused('start', { ...streams, spec: { ...spec, process: { ...ociProcess, args: [1] } } })
    refused('start', { ...streams, runDirectory: 'relative', spec })
    refused('start', { ...streams, directory: '/x\0', spec })
    refused('start', { ...streams, container: '../../etc', spec })
  })

  it('of any form give a request or an EngineError', () => {
    const names = ['id', 'method', 'params', ...Object.keys({ ...streams, ...spec, ...ociProcess }), 'exec', 'spec', 'pid', 'rows']
    const methods = fc.constantFrom(...valid.map(({ method }) => method), 'list', 'x')
    const soup = fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.jsonValue(), fc.constant(container), fc.constant('/x'), fc.constant(spec)))
    fc.assert(
      fc.property(methods, fc.oneof(soup, fc.jsonValue()), (method, params) => {
        try {
          parseRequest({ id: 1, method, params })
        } catch (error) {
          assert.equal((error as Error).name, 'EngineError')
        }
      }),
    )
    for (const message of [null, 1, [], {}, { id: -1 }, { id: 1.5 }]) assert.throws(() => requestId(message), { name: 'EngineError' })
  })
})
