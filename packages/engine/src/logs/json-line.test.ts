import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EntryBuffer, parseEntry, type StreamName } from './json-line.ts'

const time = 1_795_458_176_905_120_550n

const writeLines = (lines: Buffer, stream: StreamName, at: bigint, attributes?: string): string => {
  const entries = new EntryBuffer()
  entries.addLines(lines, stream, at, attributes)
  return entries.content.toString()
}
const writePartial = (piece: Buffer, stream: StreamName, at: bigint): string => {
  const entries = new EntryBuffer()
  entries.addPartial(piece, stream, at)
  return entries.content.toString()
}

/** One line's text as it stands in an entry. */
function logged(line: Buffer): string {
  const entry = writeLines(Buffer.concat([line, Buffer.from('\n')]), 'stdout', time)
  assert.ok(entry.endsWith('\\n","stream":"stdout","time":"2026-11-23T18:22:56.90512055Z"}\n'), entry)
  return entry.slice('{"log":"'.length, entry.indexOf('\\n","stream"'))
}

describe('an entry of json-file', () => {
  it('is escaped as Docker 28.5 did it', () => {
    assert.equal(logged(Buffer.from('\ttab<&>"q\\ \x7f\x01\x1b[0m\r')), '\\u0009tab\\u003c\\u0026\\u003e\\"q\\\\ \x7f\\u0001\\u001b[0m\\r')
    assert.equal(logged(Buffer.from('utf é € 😀 \u2028 \ufffd end')), 'utf é € 😀 \\u2028 \ufffd end')
    assert.equal(
      logged(Buffer.from('bad \xff\xfe \xc3 \xe2\x82 \xed\xa0\x80 \xf5 \xc0\xaf end', 'latin1')),
      'bad \\ufffd\\ufffd \\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd \\ufffd\\ufffd end',
    )
    assert.equal(logged(Buffer.from('')), '')
  })

  it('has attributes before the time, and no line feed when it is a part', () => {
    assert.equal(
      writeLines(Buffer.from('a\nb\n'), 'stderr', time, '{"k":"v"}'),
      '{"log":"a\\n","stream":"stderr","attrs":{"k":"v"},"time":"2026-11-23T18:22:56.90512055Z"}\n{"log":"b\\n","stream":"stderr","attrs":{"k":"v"},"time":"2026-11-23T18:22:56.90512055Z"}\n',
    )
    assert.equal(writePartial(Buffer.from('part'), 'stdout', time), '{"log":"part","stream":"stdout","time":"2026-11-23T18:22:56.90512055Z"}\n')
  })

  it('is JSON, and reads back as what was written', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }).filter((text) => !text.includes('\n') && Buffer.from(text).toString() === text), { minLength: 1, maxLength: 5 }), (lines) => {
        const written = writeLines(Buffer.from(lines.map((line) => `${line}\n`).join('')), 'stderr', time, '{"k":"v"}')
        const entries = written.trimEnd().split('\n').map((line) => parseEntry(line))
        assert.deepEqual(entries.map((entry) => entry?.text), lines.map((line) => `${line}\n`))
        assert.ok(entries.every((entry) => entry?.stream === 'stderr' && entry.time === '2026-11-23T18:22:56.90512055Z' && entry.attributes['k'] === 'v'))
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const entry = parseEntry(writePartial(Buffer.concat([Buffer.from('x'), Buffer.from(bytes.filter((byte) => byte !== 10))]), 'stdout', time))
        assert.ok(entry !== undefined)
      }),
    )
  })

  it('comes after those before it, however many there are', () => {
    const entries = new EntryBuffer()
    const line = Buffer.concat([Buffer.alloc(16_000, '\u0001'), Buffer.from('\n')])
    for (let i = 0; i < 20; i++) entries.addLines(line, 'stdout', time)
    entries.addPartial(Buffer.alloc(0), 'stderr', time)
    const written = entries.content.toString().trimEnd().split('\n').map((entry) => parseEntry(entry))
    assert.deepEqual(written.map((entry) => [entry?.text === line.toString(), entry?.stream]), [...Array.from({ length: 20 }, () => [true, 'stdout']), [false, 'stderr']])
    entries.clear()
    assert.deepEqual([entries.length, entries.content.length], [0, 0])
  })

  it('that was torn is none', () => {
    for (const torn of ['', '{"log":"x', 'null', '[]', '{"log":5,"time":"x"}', '{"log":"x"}']) assert.equal(parseEntry(torn), undefined)
  })
})
