import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { goQuote } from './go-quote.ts'
import { binarySize, humanDuration, humanSince, humanSize, rfc3339 } from './human.ts'
import { htmlSafeJson, indentJson } from './json.ts'
import { alignColumns, ellipsis } from './table.ts'

describe('durations in words', () => {
  it("are go-units' HumanDuration", () => {
    const hour = 3600
    const day = 24 * hour
    const cases: [number, string][] = [
      [0.4, 'Less than a second'], [1, '1 second'], [45, '45 seconds'], [60, 'About a minute'], [119, 'About a minute'], [120, '2 minutes'],
      [59 * 60, '59 minutes'], [hour, 'About an hour'], [1.4 * hour, 'About an hour'], [1.5 * hour, '2 hours'], [47 * hour, '47 hours'], [2 * day, '2 days'],
      [13 * day, '13 days'], [14 * day, '2 weeks'], [59 * day, '8 weeks'], [60 * day, '2 months'], [729 * day, '24 months'], [730 * day, '2 years'],
    ]
    for (const [seconds, words] of cases) assert.equal(humanDuration(seconds), words, String(seconds))
    assert.equal(humanSince(1000, 1_180_000), '3 minutes ago')
  })
})

describe('sizes in words', () => {
  it("are go-units' HumanSize and BytesSize", () => {
    const cases: [number, string][] = [[0, '0B'], [999, '999B'], [1000, '1kB'], [1984172, '1.98MB'], [7_380_000, '7.38MB'], [61_984_172, '62MB'], [999_900, '1e+03kB'], [1.5e9, '1.5GB']]
    for (const [bytes, words] of cases) assert.equal(humanSize(bytes), words)
    assert.equal(humanSize(1984172, 4), '1.984MB')
    assert.equal(binarySize(25_277_837_312), '23.54GiB')
  })
})

describe('rfc3339', () => {
  it('keeps the fraction as it is given', () => {
    assert.match(rfc3339(1795456435, '949973995'), /^2026-11-2\dT\d\d:\d\d:\d\d\.949973995(Z|[+-]\d\d:\d\d)$/)
  })
})

describe('tables', () => {
  it("have tabwriter's columns: at least ten wide, three apart, the last cell free", () => {
    assert.equal(alignColumns([['A', 'B', 'C'], ['a long first cell', 'b', 'ccc']]), `A                   B         C\na long first cell   b         ccc\n`)
    assert.equal(alignColumns([]), '')
    assert.equal(alignColumns([['alone']]), 'alone\n')
  })

  it('part columns at lines that do not have them', () => {
    assert.equal(alignColumns([['a very long cell', 'x'], ['only one'], ['b', 'y']]), 'a very long cell   x\nonly one\nb         y\n')
  })

  it('count characters, not bytes', () => {
    assert.equal(alignColumns([['äöü…', 'x'], ['abcd', 'y']]), 'äöü…      x\nabcd      y\n')
    assert.equal(ellipsis('abcdef', 4), 'abc…')
    assert.equal(ellipsis('abcd', 4), 'abcd')
  })
})

describe('quoting', () => {
  it("is Go's strconv.Quote", () => {
    assert.equal(goQuote('sh -c "a\\b"\n\u0007\u001b…ä'), '"sh -c \\"a\\\\b\\"\\n\\a\\x1b…ä"')
  })
})

describe('JSON', () => {
  it('is indented without being changed', () => {
    const text = '[{"a":12345678901234567890,"b":"x: {,}\\"\\\\","c":{},"d":[],"e":[1,[2]]}]'
    assert.equal(indentJson(text, '  '), `[
  {
    "a": 12345678901234567890,
    "b": "x: {,}\\"\\\\",
    "c": {},
    "d": [],
    "e": [
      1,
      [
        2
      ]
    ]
  }
]`)
    assert.deepEqual(JSON.parse(indentJson(JSON.stringify({ x: [{ y: ' } ' }] }), '    ')), { x: [{ y: ' } ' }] })
  })

  it('escapes what HTML minds, as json.Marshal', () => {
    assert.equal(htmlSafeJson({ a: '<&>' }), '{"a":"\\u003c\\u0026\\u003e"}')
  })
})
