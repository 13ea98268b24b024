import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { parseRecord, segmentNumbers, writeRecord, type StreamNumber } from './spool-format.ts'
import { deleteSegmentsBefore, SpoolReader } from './spool-reader.ts'
import { SpoolWriter } from './spool-writer.ts'

let directory = ''
let spool = ''
let count = 0

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-spool-'))
})

beforeEach(() => {
  count += 1
  spool = join(directory, String(count))
})

after(() => {
  rmSync(directory, { recursive: true, force: true })
})

const memory = Buffer.alloc(64 * 1024)

type Piece = readonly [stream: StreamNumber, text: string]

/** All there is, with neighbours of one stream joined. */
function content(reader: SpoolReader): Piece[] {
  const pieces: [StreamNumber, string][] = []
  for (let piece = reader.next(memory); piece !== undefined; piece = reader.next(memory)) {
    const last = pieces.at(-1)
    if (last?.[0] === piece.stream) last[1] += piece.data.toString('latin1')
    else pieces.push([piece.stream, piece.data.toString('latin1')])
  }
  return pieces
}

function joined(pieces: readonly Piece[]): Piece[] {
  const result: [StreamNumber, string][] = []
  for (const [stream, text] of pieces) {
    const last = result.at(-1)
    if (last?.[0] === stream) last[1] += text
    else result.push([stream, text])
  }
  return result
}

const pieces = fc.array(fc.tuple(fc.constantFrom<StreamNumber>(1, 2), fc.string({ minLength: 1, maxLength: 30, unit: 'binary-ascii' })), { maxLength: 30 })

describe('a spool', () => {
  it('gives what was written, in order, whatever the sizes of segments and reads', () => {
    let run = 0
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 50 }), (written, segmentBytes, maximum) => {
        run += 1
        const place = `${spool}-${run}`
        const writer = new SpoolWriter(place, { segmentBytes })
        using reader = new SpoolReader(place)
        const read: Piece[] = []
        const readAll = (): void => {
          for (let piece = reader.next(memory, maximum); piece !== undefined; piece = reader.next(memory, maximum)) {
            assert.ok(piece.data.length <= maximum)
            read.push([piece.stream, piece.data.toString('latin1')])
          }
        }
        written.forEach(([stream, text], index) => {
          writer.write(stream, Buffer.from(text, 'latin1'))
          if (index % 3 === 0) readAll()
        })
        readAll()
        writer.close()
        assert.deepEqual(joined(read), joined(written))
      }),
      { numRuns: 40 },
    )
  })

  it('is read on from a place that was kept', () => {
    const writer = new SpoolWriter(spool, { segmentBytes: 10 })
    writer.write(1, Buffer.from('one two '))
    writer.write(2, Buffer.from('three four '))
    writer.write(1, Buffer.from('five'))
    for (let kept = 0; kept < 23; kept++) {
      const first = new SpoolReader(spool)
      let before = ''
      while (before.length < kept) before += first.next(memory, 1)?.data.toString() ?? ''
      const { position } = first
      first.close()
      using second = new SpoolReader(spool, position)
      const rest = content(second).map(([, text]) => text).join('')
      assert.equal(before + rest, 'one two three four five')
    }
    writer.close()
  })

  it('is continued after a writer that was killed between data and record', () => {
    const first = new SpoolWriter(spool)
    first.write(1, Buffer.from('recorded\n'))
    // A killed writer closes nothing; its descriptors only vanish.
    appendFileSync(join(spool, '1.stdout'), 'unrecorded\n')
    appendFileSync(join(spool, '1.stderr'), 'as well\n')
    first.close()
    const second = new SpoolWriter(spool)
    second.write(1, Buffer.from('after\n'))
    second.close()
    using reader = new SpoolReader(spool)
    const text = (wanted: StreamNumber, all: readonly Piece[]): string => all.filter(([stream]) => stream === wanted).map(([, part]) => part).join('')
    const all = content(reader)
    assert.equal(text(1, all), 'recorded\nunrecorded\nafter\n')
    assert.equal(text(2, all), 'as well\n')
  })

  it('is continued after half a record, and after data that a host lost', () => {
    const first = new SpoolWriter(spool)
    first.write(1, Buffer.from('one'))
    first.write(1, Buffer.from('two'))
    first.close()
    truncateSync(join(spool, '1.index'), 16 + 7)
    new SpoolWriter(spool).close()
    assert.equal(statSync(join(spool, '1.index')).size, 32)
    using reader = new SpoolReader(spool)
    assert.deepEqual(content(reader), [[1, 'onetwo']])
    truncateSync(join(spool, '1.stdout'), 2)
    const third = new SpoolWriter(spool)
    third.write(1, Buffer.from('three'))
    third.close()
    using again = new SpoolReader(spool)
    const read = content(again).map(([, text]) => text).join('')
    assert.ok(read.startsWith('on') && read.endsWith('three'), read)
  })

  it('is full beyond its bound until segments have been deleted', () => {
    const writer = new SpoolWriter(spool, { segmentBytes: 10, limitBytes: () => 35 })
    for (let i = 0; i < 3; i++) {
      writer.write(1, Buffer.alloc(11))
      assert.equal(writer.full, false)
    }
    writer.write(1, Buffer.alloc(11))
    assert.equal(writer.full, true)
    deleteSegmentsBefore(spool, 2)
    assert.equal(writer.full, false)
    assert.deepEqual(segmentNumbers(readdirSync(spool)), [2, 3, 4])
    writer.close()
    const again = new SpoolWriter(spool, { segmentBytes: 10, limitBytes: () => 32 })
    assert.equal(again.full, true)
    again.close()
  })

  it('tells of deletions to whoever waits for room', async () => {
    const writer = new SpoolWriter(spool, { segmentBytes: 1 })
    writer.write(1, Buffer.from('aa'))
    writer.write(1, Buffer.from('bb'))
    await new Promise<void>((resolve) => {
      const stop = writer.watch(() => {
        stop()
        resolve()
      })
      deleteSegmentsBefore(spool, 2)
    })
    writer.close()
  })

  it('has nothing for a reader while it is empty, or not there', () => {
    using reader = new SpoolReader(spool)
    assert.equal(reader.next(memory), undefined)
    const writer = new SpoolWriter(spool)
    assert.equal(reader.next(memory), undefined)
    writer.write(2, Buffer.from('x'))
    assert.deepEqual(content(reader), [[2, 'x']])
    assert.equal(reader.next(memory), undefined)
    writer.close()
  })
})

describe('index records', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom<StreamNumber>(1, 2), (time, length, stream) => {
        const bytes = writeRecord({ time, length, stream })
        assert.equal(bytes.length, 16)
        assert.deepEqual(parseRecord(bytes, 0), { time, length, stream })
      }),
    )
    assert.equal(parseRecord(Buffer.alloc(16), 0), undefined)
  })

  it('number segments by names of theirs only', () => {
    assert.deepEqual(segmentNumbers(['10.index', '2.stdout', '2.stderr', 'position', '0.index', '03.index', 'x.index', '1.index.new']), [2, 10])
  })
})
