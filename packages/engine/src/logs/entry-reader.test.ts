import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { LogOptions, OutputFraming } from '../interface.ts'
import { EntryReader } from './entry-reader.ts'
import { EntryBuffer, parseEntry } from './json-line.ts'
import { OutputBuffer } from './output-buffer.ts'

const all: LogOptions = { stdout: true, stderr: true, follow: false, timestamps: false, details: false }
const time = 1_795_458_176_905_120_550n
const shown = '2026-11-23T18:22:56.905120550Z'

/** What is read of a log, framed as `<stream><length>` in eight bytes. */
function read(lines: Buffer | string, options: Partial<LogOptions> = {}): { readonly text: string; readonly over: boolean } {
  const framing: OutputFraming = { headerBytes: 8, writeHeader: (into, at, stream, length) => into.write(`${stream === 'stdout' ? 'o' : 'e'}${String(length).padStart(6, '.')}:`, at) }
  const into = new OutputBuffer()
  const over = new EntryReader({ ...all, ...options }, framing).read(Buffer.from(lines), into)
  return { text: into.content.toString(), over }
}

function written(lines: readonly string[], attributes?: string): Buffer {
  const entries = new EntryBuffer()
  for (const [index, line] of lines.entries()) entries.addLines(Buffer.from(`${line}\n`), index % 2 === 0 ? 'stdout' : 'stderr', time + BigInt(index), attributes)
  return entries.content
}

describe('entries', () => {
  it('are framed one by one, of the streams that are wanted', () => {
    const log = written(['one', '{"a": "b\\n"}', 'drei ü 😀'])
    assert.equal(read(log).text, 'o.....4:one\ne....13:{"a": "b\\n"}\no....13:drei ü 😀\n')
    assert.equal(read(log, { stdout: false }).text, 'e....13:{"a": "b\\n"}\n')
    assert.equal(read(log, { stderr: false, timestamps: true }).text, `o....35:${shown} one\no....44:${shown.replace('550Z', '552Z')} drei ü 😀\n`)
    assert.equal(read(written(['x'], '{"b":"1 2","a":"&"}'), { details: true, timestamps: true }).text, `o....45:${shown} a=%26,b=1+2 x\n`)
    assert.equal(read(written(['x'], '{"b":"1 2"}')).text, 'o.....2:x\n')
  })

  it('are taken by their times, up to the first that is later', () => {
    const log = written(['one', 'two', 'three', 'four'])
    assert.deepEqual(read(log, { since: time + 1n, until: time + 2n }), { text: 'e.....4:two\no.....6:three\n', over: true })
  })

  it('are read back as JSON.parse does, however they are escaped, by whomever they were written', () => {
    const string = fc.string({ unit: fc.oneof(fc.constantFrom('"', '\\', '\n', '\r', '\t', '\b', '\f', '/', '<', '\u0001', '\u2028', 'é', '€', '😀', '\ufffd'), fc.string({ minLength: 1, maxLength: 1 })), maxLength: 30 })
    const escaped = fc.tuple(string, fc.boolean()).map(([text, every]) =>
      every ? `"${Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"` : JSON.stringify(text))
    const stamp = fc.constantFrom('2026-11-23T18:22:56.90512055Z', '2026-11-23T18:22:56Z', '2026-11-23T20:22:56.9+02:00', 'never', '')
    fc.assert(
      fc.property(fc.array(fc.tuple(escaped, fc.constantFrom('stdout', 'stderr'), stamp), { maxLength: 6 }), (entries) => {
        const lines = entries.map(([text, stream, at]) => `{"log":${text},"stream":"${stream}","time":"${at}"}`)
        const expected = lines.map((line) => {
          const entry = parseEntry(line)
          assert.ok(entry !== undefined)
          return `${entry.stream === 'stdout' ? 'o' : 'e'}${String(Buffer.byteLength(entry.text)).padStart(6, '.')}:${entry.text}`
        })
        assert.equal(read(lines.map((line) => `${line}\n`).join('')).text, Buffer.from(expected.join('')).toString())
      }),
    )
  })

  it('that are torn or none are left out; those after them are not', () => {
    const [whole] = written(['whole']).toString().split('\n')
    assert.ok(whole !== undefined)
    for (let cut = 0; cut < whole.length; cut++) assert.equal(read(`${whole.slice(0, cut)}\n${whole}\n`).text, 'o.....6:whole\n', whole.slice(0, cut))
    for (const none of ['{"log":"\\q","stream":"stdout","time":"x"}', '{"log":"\\u12g4","stream":"stdout","time":"x"}', '{"log":"x","stream":"stdout","time":5}', '[]']) assert.equal(read(`${none}\n${whole}\n`).text, 'o.....6:whole\n')
  })

  it('longer than they were written have room', () => {
    const line = `{"log":${JSON.stringify('\u0000'.repeat(100))},"attrs":{"a":"${'ü'.repeat(50)}"},"stream":"stdout","time":"2026-11-23T18:22:56Z"}\n`
    const { text } = read(line.repeat(20), { details: true, timestamps: true })
    assert.equal(text, `o...534:2026-11-23T18:22:56.000000000Z a=${'%C3%BC'.repeat(50)} ${'\u0000'.repeat(100)}`.repeat(20).replaceAll('o...534', `o...${30 + 3 + 300 + 1 + 100}`))
  })
})
