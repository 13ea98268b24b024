import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { LogOptions, OutputFraming } from '../interface.ts'
import { EntryBuffer } from './json-line.ts'
import { readLogs } from './read-logs.ts'

const all: LogOptions = { stdout: true, stderr: true, follow: false, timestamps: false, details: false }
const unframed: OutputFraming = { headerBytes: 0, writeHeader: () => undefined }
const second = 1_000_000_000n
const base = 1_795_458_176n * second

let root = ''
let path = ''
let count = 0

function entry(number: number, stream: 'stdout' | 'stderr' = 'stdout'): string {
  const entries = new EntryBuffer()
  entries.addLines(Buffer.from(`line ${number}\n`), stream, base + BigInt(number) * second, '{"b":"x y","a":"1"}')
  return entries.content.toString()
}

function numbered(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => entry(from + i)).join('')
}

async function read(options: Partial<LogOptions> = {}, ended: Promise<void> = Promise.resolve(), signal = new AbortController().signal): Promise<string> {
  let text = ''
  for await (const batch of readLogs({ logPath: path, files: 5, ended }, { ...all, ...options }, unframed, signal)) text += batch.toString()
  return text
}

/** A reading that goes on, and what it has shown so far. */
function follow(options: Partial<LogOptions>): { readonly shows: (expected: string) => Promise<void>; readonly end: () => Promise<string> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let text = ''
  const reading = (async () => {
    for await (const batch of readLogs({ logPath: path, files: 5, ended: promise }, { ...all, follow: true, ...options }, unframed, new AbortController().signal)) text += batch.toString()
  })()
  return {
    shows: async (expected) => {
      for (const deadline = performance.now() + 60_000; text.length < expected.length && performance.now() < deadline; ) await sleep(2)
      assert.equal(text, expected)
    },
    end: async () => {
      resolve()
      await reading
      return text
    },
  }
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('')
}

before(() => {
  root = mkdtempSync(join(tmpdir(), 'engine-logs-'))
})

after(() => {
  rmSync(root, { recursive: true, force: true })
})

beforeEach(() => {
  count += 1
  const directory = join(root, String(count))
  mkdirSync(directory)
  path = join(directory, 'x-json.log')
})

describe('a log', () => {
  it('that was never written is empty', async () => {
    assert.equal(await read(), '')
    assert.equal(await read({ tail: 5 }), '')
    assert.equal(await read({ follow: true }), '')
  })

  it('is read over its rotated files, oldest first', async () => {
    writeFileSync(`${path}.2.gz`, gzipSync(numbered(0, 10)))
    writeFileSync(`${path}.1`, numbered(10, 20))
    writeFileSync(path, numbered(20, 30))
    assert.equal(await read(), lines(0, 30))
    for (const tail of [0, 1, 10, 11, 19, 20, 25, 30, 99]) assert.equal(await read({ tail }), lines(Math.max(0, 30 - tail), 30))
    assert.equal(await read({ tail: 15, follow: true }), lines(15, 30))
  })

  it('has its last lines found in files of many blocks', async () => {
    writeFileSync(path, numbered(0, 5000))
    for (const tail of [1, 700, 4999, 5000, 5001]) assert.equal(await read({ tail }), lines(Math.max(0, 5000 - tail), 5000))
  })

  it('is limited by time and stream', async () => {
    writeFileSync(path, entry(0) + entry(1, 'stderr') + entry(2) + entry(3, 'stderr'))
    assert.equal(await read({ since: base + second }), lines(1, 4))
    assert.equal(await read({ until: base + 2n * second }), lines(0, 3))
    assert.equal(await read({ stderr: false }), 'line 0\nline 2\n')
    // As with Docker, the last lines are counted before the streams are told apart.
    assert.equal(await read({ stdout: false, tail: 2 }), 'line 3\n')
  })

  it('shows times with nine digits, and details as Docker does', async () => {
    writeFileSync(path, entry(0))
    assert.equal(await read({ timestamps: true }), '2026-11-23T18:22:56.000000000Z line 0\n')
    assert.equal(await read({ timestamps: true, details: true }), '2026-11-23T18:22:56.000000000Z a=1,b=x+y line 0\n')
  })

  it('leaves out a torn line, and what is not whole yet', async () => {
    writeFileSync(path, `${entry(0)}{"log":"to\n${entry(1)}{"log":"not yet`)
    assert.equal(await read(), lines(0, 2))
  })

  it('is the same byte for byte, whether it is found or decoded', async () => {
    const texts = ['', 'plain', 'a "quoted" \\ back\\n', '","stream":"stdout","time":"x"}', '\t<&>\u2028', 'é', '\\', 'ends in \\n']
    const entries = new EntryBuffer()
    for (const text of texts) {
      entries.addLines(Buffer.from(`${text}\n`), 'stdout', base)
      entries.addPartial(Buffer.from(text), 'stderr', base)
      entries.addLines(Buffer.from(`${text}\n`), 'stderr', base, '{"a":"\\",\\"stream\\":\\"stdout\\",\\"time\\":\\""}')
    }
    writeFileSync(path, entries.content)
    assert.equal(await read(), texts.map((text) => `${text}\n${text}${text}\n`).join(''))
    assert.equal(await read({ since: 1n }), texts.map((text) => `${text}\n${text}${text}\n`).join(''))
    assert.equal(await read({ stderr: false }), texts.map((text) => `${text}\n`).join(''))
  })

  it('is followed, through rotations, until its container has stopped', async () => {
    writeFileSync(path, numbered(0, 3))
    const { shows, end } = follow({ tail: 1 })
    await shows(lines(2, 3))
    appendFileSync(path, numbered(3, 6))
    await shows(lines(2, 6))
    appendFileSync(path, numbered(6, 8))
    renameSync(path, `${path}.1`)
    writeFileSync(path, numbered(8, 10))
    await shows(lines(2, 10))
    // Two at once: the reader has to find its place among them.
    appendFileSync(path, numbered(10, 12))
    renameSync(`${path}.1`, `${path}.3`)
    renameSync(path, `${path}.2`)
    writeFileSync(`${path}.1`, numbered(12, 14))
    writeFileSync(path, numbered(14, 16))
    await shows(lines(2, 16))
    appendFileSync(path, numbered(16, 17))
    assert.equal(await end(), lines(2, 17))
  })

  it('is followed no longer than until, or the signal', async () => {
    writeFileSync(path, '')
    const never = new Promise<void>(() => undefined)
    const now = BigInt(Date.now()) * 1_000_000n
    const begun = performance.now()
    assert.equal(await read({ follow: true, until: now + 50_000_000n }, never), '')
    assert.ok(performance.now() - begun < 2000)
    const controller = new AbortController()
    const reading = read({ follow: true }, never, controller.signal)
    await sleep(10)
    controller.abort()
    assert.equal(await reading, '')
  })

  it('that is emptied by hand while it is followed goes on from its beginning', async () => {
    writeFileSync(path, numbered(0, 3))
    const { shows, end } = follow({})
    await shows(lines(0, 3))
    writeFileSync(path, '')
    appendFileSync(path, numbered(3, 4))
    await shows(lines(0, 4))
    assert.equal(await end(), lines(0, 4))
  })
})
