import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeFrame, FrameDecoder, frameHeader, frames, type FrameStream } from './raw-stream.ts'

describe('frames', () => {
  it('have the header that Docker writes', () => {
    assert.deepEqual([...encodeFrame('stderr', Buffer.from('abc'))], [2, 0, 0, 0, 0, 0, 0, 3, 97, 98, 99])
    assert.deepEqual([...frameHeader('stdout', 0x01020304)], [1, 0, 0, 0, 1, 2, 3, 4])
  })

  it('are found again however the bytes are cut', () => {
    const stream = fc.constantFrom<FrameStream>('stdin', 'stdout', 'stderr', 'system')
    fc.assert(
      fc.property(fc.array(fc.tuple(stream, fc.uint8Array({ maxLength: 40 }))), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (given, cuts) => {
        const bytes = Buffer.concat(given.map(([name, data]) => encodeFrame(name, Buffer.from(data))))
        const decoder = new FrameDecoder()
        const found = new Map<string, Buffer[]>()
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const cut = cuts[turn % cuts.length] ?? 1
          for (const { stream: name, data } of decoder.push(bytes.subarray(at, at + cut))) found.set(name, [...(found.get(name) ?? []), data])
          at += cut
        }
        assert.equal(decoder.complete, true)
        for (const name of ['stdin', 'stdout', 'stderr', 'system']) {
          const wanted = Buffer.concat(given.filter(([one]) => one === name).map(([, data]) => Buffer.from(data)))
          assert.deepEqual(Buffer.concat(found.get(name) ?? []), wanted)
        }
      }),
    )
  })

  it('that are none are refused', async () => {
    const read = async (): Promise<void> => {
      for await (const _frame of frames((async function* () {
        yield Buffer.from('not frames at all')
      })())) void _frame
    }
    await assert.rejects(read, /unrecognized stream: 110/)
  })

  it('that are cut off are seen to be', () => {
    const decoder = new FrameDecoder()
    decoder.push(encodeFrame('stdout', Buffer.from('abc')).subarray(0, 9))
    assert.equal(decoder.complete, false)
  })
})
