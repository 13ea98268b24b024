import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, createZstdDecompress, zstdCompressSync } from 'node:zlib'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { cutFrames } from './zstd-frames.ts'

const skippable = (size: number): Buffer => {
  const frame = Buffer.alloc(8 + size, 0xaa)
  frame.writeUInt32LE(0x184d2a53, 0)
  frame.writeUInt32LE(size, 4)
  return frame
}

function pieces(bytes: Buffer, size: number): Readable {
  return Readable.from(Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size)))
}

function decompress(bytes: Buffer, size: number): Promise<Buffer> {
  return buffer(Readable.from(cutFrames(pieces(bytes, size)), { objectMode: false }).pipe(createZstdDecompress()))
}

test('frames are decompressed one after the other, whatever the pieces', async () => {
  const first = { content: Buffer.from('first'), frame: zstdCompressSync(Buffer.from('first')) }
  const part = fc.oneof(
    fc.tuple(fc.uint8Array({ maxLength: 3000 }), fc.boolean()).map(([content, checksum]) => {
      const params = { [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 }
      return { content: Buffer.from(content), frame: zstdCompressSync(Buffer.from(content), { params }) }
    }),
    fc.nat(50).map((size) => ({ content: Buffer.alloc(0), frame: skippable(size) })),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 4 }).map((parts) => [first, ...parts]), fc.integer({ min: 1, max: 500 }), async (parts, size) => {
      const back = await decompress(Buffer.concat(parts.map(({ frame }) => frame)), size)
      assert.ok(back.equals(Buffer.concat(parts.map(({ content }) => content))))
    }),
    { numRuns: 60 },
  )
})

test('what is cut off or no frame is an error', async () => {
  const frame = zstdCompressSync(Buffer.alloc(100_000, 'x'))
  for (const length of [3, 5, 9, frame.length - 1]) await assert.rejects(buffer(Readable.from(cutFrames(pieces(frame.subarray(0, length), 7)))), { message: 'unexpected EOF' }, String(length))
  await assert.rejects(buffer(Readable.from(cutFrames(pieces(Buffer.concat([frame, Buffer.from('garbage')]), 1000)))), { message: 'zstd: the data is damaged' })
})
