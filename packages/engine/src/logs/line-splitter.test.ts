import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LINE_BYTES, LineSplitter, type LineSink, type SplitterState } from './line-splitter.ts'

type Entry = readonly [kind: 'line' | 'partial', text: string, time: bigint]

function collector(): { readonly entries: Entry[]; readonly sink: LineSink } {
  const entries: Entry[] = []
  return {
    entries,
    sink: {
      lines: (bytes, time) => {
        for (const line of bytes.toString('latin1').match(/[^\n]*\n/g) ?? []) entries.push(['line', line, time])
      },
      partial: (bytes, time) => entries.push(['partial', bytes.toString('latin1'), time]),
    },
  }
}

function split(text: string, step: number): Entry[] {
  const { entries, sink } = collector()
  const splitter = new LineSplitter()
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += step) splitter.push(bytes.subarray(at, at + step), 1n, sink)
  splitter.end(2n, sink)
  return entries
}

describe('lines', () => {
  it('are entries; long ones are cut, and only the last part has the line feed', () => {
    const shape = (text: string): string[] => split(text, 5000).map(([kind, part]) => `${kind} ${part.length}`)
    assert.deepEqual(shape('a\n\nbb\n'), ['line 2', 'line 1', 'line 3'])
    assert.deepEqual(shape('x'.repeat(LINE_BYTES - 1) + '\n'), [`line ${LINE_BYTES}`])
    // As Docker does: the buffer is full before the line feed is seen.
    assert.deepEqual(shape('x'.repeat(LINE_BYTES) + '\nnext\n'), [`partial ${LINE_BYTES}`, 'line 1', 'line 5'])
    assert.deepEqual(shape('x'.repeat(40000) + '\n'), [`partial ${LINE_BYTES}`, `partial ${LINE_BYTES}`, 'line 7233'])
    assert.deepEqual(shape('end'), ['partial 3'])
    assert.deepEqual(shape(''), [])
  })

  it('do not depend on how the output was cut into pieces', () => {
    const line = fc.oneof({ arbitrary: fc.integer({ min: 0, max: 60 }), weight: 5 }, { arbitrary: fc.integer({ min: LINE_BYTES - 2, max: LINE_BYTES * 2 + 2 }), weight: 1 })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.integer({ min: 1, max: 30_000 }), fc.boolean(), (lengths, step, ended) => {
        const text = lengths.map((length) => 'y'.repeat(length)).join('\n') + (ended ? '\n' : '')
        const entries = split(text, step).map(([kind, part]) => [kind, part])
        assert.deepEqual(entries, split(text, 1_000_000).map(([kind, part]) => [kind, part]))
        assert.equal(entries.map(([, part]) => part).join(''), text)
      }),
      { numRuns: 60 },
    )
  })

  it('have the time of their end; parts that of the first', () => {
    const { entries, sink } = collector()
    const splitter = new LineSplitter()
    splitter.push(Buffer.from('be'), 1n, sink)
    splitter.push(Buffer.from('gun\n' + 'z'.repeat(LINE_BYTES)), 2n, sink)
    splitter.push(Buffer.from('z\nafter\n'), 3n, sink)
    splitter.push(Buffer.from('left'), 4n, sink)
    splitter.end(5n, sink)
    assert.deepEqual(entries.map(([kind, text, time]) => [kind, text.length, time]), [['line', 6, 2n], ['partial', LINE_BYTES, 2n], ['line', 2, 2n], ['line', 6, 3n], ['partial', 4, 5n]])
  })

  it('are continued from a state that was kept', () => {
    const text = `short\n${'z'.repeat(LINE_BYTES + 100)}\nend`
    const whole = split(text, 1000).map(([, part]) => part)
    for (const at of [3, 6, 500, LINE_BYTES + 6, LINE_BYTES + 50, text.length]) {
      const { entries, sink } = collector()
      const first = new LineSplitter()
      first.push(Buffer.from(text.slice(0, at)), 1n, sink)
      const kept = JSON.parse(JSON.stringify(first.state)) as SplitterState
      const second = new LineSplitter(kept)
      second.push(Buffer.from(text.slice(at)), 2n, sink)
      second.end(3n, sink)
      assert.deepEqual(entries.map(([, part]) => part), whole)
      assert.ok(entries.slice(1, -1).every(([, , time]) => time === (at >= LINE_BYTES + 6 ? 1n : 2n)))
    }
  })
})
