import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { SpoolWriter } from '../../../runtime/src/shim/spool-writer.ts'
import { parseEntry } from './json-line.ts'
import { LogPump } from './log-pump.ts'
import type { OpenLog, Subscription } from './types.ts'

const workerPath = new URL('worker.ts', import.meta.url)
const key = 'c'.repeat(64)

let root = ''
let directory = ''
let pump: LogPump
let writer: SpoolWriter
let count = 0
const troubles: string[] = []

function newPump(): LogPump {
  return new LogPump({ workerPath, log: (_level, _fields, message) => troubles.push(message) })
}

function log(options: Record<string, string> = {}): OpenLog {
  return { directory, driver: 'json-file', logPath: join(directory, 'x-json.log'), options }
}

function entries(name = 'x-json.log'): string[] {
  return readIfThere(join(directory, name)).split('\n').filter((line) => line !== '').map((line) => parseEntry(line)?.text ?? `torn: ${line}`)
}

/** A log's file may be renamed between two calls of the test's. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}

/** Waits for what the worker does by itself. */
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return
    await sleep(5)
  }
  assert.fail('it did not happen within five seconds')
}

/** What the whole log says, over its files; something else in the middle of a rotation. */
function logged(): string {
  const files = readdirSync(directory).filter((name) => /^x-json\.log(\.\d)?$/.test(name)).sort().reverse()
  return files.flatMap((name) => entries(name)).join('')
}

async function text(subscription: Subscription): Promise<string> {
  let all = ''
  for await (const chunk of subscription) all += `${chunk.stream === 'stderr' ? 'E:' : ''}${chunk.data.toString()}`
  return all
}

before(() => {
  root = mkdtempSync(join(tmpdir(), 'engine-pump-'))
})

after(() => {
  rmSync(root, { recursive: true, force: true })
})

beforeEach(() => {
  count += 1
  directory = join(root, String(count))
  mkdirSync(directory)
  pump = newPump()
  writer = new SpoolWriter(join(directory, 'spool'))
})

afterEach(async () => {
  writer.close()
  await pump.shutdown()
  assert.deepEqual(troubles.splice(0), [])
})

describe('the log pump', () => {
  it('writes the log and gives the output to who asked before it began', async () => {
    const subscription = pump.subscribe(key)
    const given = text(subscription)
    pump.open(key, log())
    writer.write(1, Buffer.from('out\npar'))
    writer.write(2, Buffer.from('err\n'))
    pump.notify(key)
    await until(() => logged() === 'out\nerr\n')
    writer.write(1, Buffer.from('tial'))
    await pump.drained(key)
    assert.deepEqual(entries(), ['out\n', 'err\n', 'partial'])
    assert.equal(await given, 'out\nparE:err\ntial')
    await pump.close(key)
    assert.ok(!existsSync(join(directory, 'spool')))
  })

  it('gives a late subscriber what comes after it', async () => {
    pump.open(key, log())
    writer.write(1, Buffer.from('before\n'))
    pump.notify(key)
    await until(() => logged() === 'before\n')
    const given = text(pump.subscribe(key))
    writer.write(1, Buffer.from('after\n'))
    await pump.drained(key)
    await pump.close(key)
    assert.equal(await given, 'after\n')
  })

  it('does not let a slow subscriber hold up the log, nor lose what is his', async () => {
    const slow = pump.subscribe(key)
    const gone = pump.subscribe(key)
    pump.open(key, log({ 'max-size': '1g' }))
    const line = `${'z'.repeat(99)}\n`
    const block = Buffer.from(line.repeat(10_000))
    for (let i = 0; i < 12; i++) writer.write(1, block)
    await pump.drained(key)
    assert.equal(entries().length, 120_000)
    // Nobody has read: three segments of four MiB are kept.
    assert.ok(readdirSync(join(directory, 'spool')).includes('1.stdout'))
    const closed = pump.close(key)
    gone.end()
    let bytes = 0
    for await (const chunk of slow) bytes += chunk.data.length
    assert.equal(bytes, 12_000_000)
    await closed
    assert.ok(!existsSync(join(directory, 'spool')))
  })

  it('deletes what it has consumed while it goes', async () => {
    pump.open(key, { directory, driver: 'none', options: {} })
    for (let i = 0; i < 3; i++) writer.write(1, Buffer.alloc(5 * 1024 * 1024))
    pump.notify(key)
    await until(() => !readdirSync(join(directory, 'spool')).includes('2.index'))
    assert.deepEqual(readdirSync(join(directory, 'spool')).sort(), ['3.index', '3.stdout', 'position'])
    assert.ok(!existsSync(join(directory, 'x-json.log')))
  })

  it('goes on after a death without losing or repeating a line', async () => {
    const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}\n`)
    const all = lines.join('')
    const limits = { 'max-size': '20k', 'max-file': '9' }
    let at = 0
    pump.open(key, log(limits))
    for (let deaths = 0; deaths < 6; deaths++) {
      const size = Math.floor(all.length / 7) + deaths
      writer.write(1, Buffer.from(all.slice(at, at + size)))
      at += size
      pump.notify(key)
      await until(() => logged().length > at - 20)
      await pump.shutdown()
      // A kill within a turn leaves entries, or even files, that were not accounted for.
      const path = join(directory, 'x-json.log')
      if (deaths % 2 === 0) appendFileSync(path, '{"log":"line 7\\n","stre')
      if (deaths > 2) {
        for (let number = 7; number > 0; number--) if (existsSync(`${path}.${number}`)) renameSync(`${path}.${number}`, `${path}.${number + 1}`)
        renameSync(path, `${path}.1`)
        writeFileSync(path, '{"log":"line 8\\n","stream":"stdout","time":"2026-11-23T18:22:56Z"}\n')
      }
      pump = newPump()
      pump.open(key, log(limits))
    }
    writer.write(1, Buffer.from(all.slice(at)))
    await pump.drained(key)
    const files = readdirSync(directory).filter((name) => name.startsWith('x-json.log'))
    assert.ok(files.length > 3, files.join())
    assert.equal(logged(), all)
  })

  it('rotates at the entry that fills a file, keeps so many files, and compresses', async () => {
    pump.open(key, log({ 'max-size': '5k', 'max-file': '3', compress: 'true' }))
    const wanted = (number: number): boolean => {
      const path = join(directory, 'x-json.log')
      return existsSync(path) && readFileSync(path, 'utf8').includes(`"${number} ${number} `) && !existsSync(`${path}.1`)
    }
    for (let i = 0; i < 6; i++) {
      writer.write(1, Buffer.from(`${i} `.repeat(2500) + '\n'))
      pump.notify(key)
      await until(() => wanted(i))
    }
    await pump.drained(key)
    await pump.close(key)
    assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith('x-json.log')).sort(), ['x-json.log', 'x-json.log.1.gz', 'x-json.log.2.gz'])
    assert.match(gunzipSync(readFileSync(join(directory, 'x-json.log.1.gz'))).toString().slice(0, 20), /"4 4 /)
    assert.match(entries()[0]?.slice(0, 20) ?? '', /^5 5 /)
  })

  it('bounds a log that comes all at once', async () => {
    pump.open(key, log({ 'max-size': '10k', 'max-file': '4' }))
    writer.write(1, Buffer.from(Array.from({ length: 5000 }, (_, i) => `${i}\n`).join('')))
    await pump.drained(key)
    const sizes = readdirSync(directory).filter((name) => name.startsWith('x-json.log')).map((name) => statSync(join(directory, name)).size)
    assert.equal(sizes.length, 4)
    assert.ok(sizes.every((size) => size < 10_200), sizes.join())
    const kept = logged()
    assert.ok(kept.endsWith('4998\n4999\n'))
    assert.equal(kept, Array.from({ length: 5000 }, (_, i) => `${i}\n`).join('').slice(-kept.length))
  })

  it('begins anew for the next run of the same container', async () => {
    for (const word of ['first', 'second']) {
      const given = text(pump.subscribe(key))
      pump.open(key, log())
      writer.write(1, Buffer.from(`${word}\n`))
      await pump.drained(key)
      await pump.close(key)
      assert.equal(await given, `${word}\n`)
      writer.close()
      writer = new SpoolWriter(join(directory, 'spool'))
    }
    assert.deepEqual(entries(), ['first\n', 'second\n'])
  })

  it('takes the memory of large pieces back when it is released, and never before', async () => {
    const lines = Buffer.from(Array.from({ length: 400_000 }, (_, i) => `line ${i}\n`).join(''))
    const subscription = pump.subscribe(key)
    pump.open(key, log())
    const writing = (async () => {
      for (let at = 0; at < lines.length; ) {
        at += writer.write(1, lines.subarray(at, at + 200_000))
        pump.notify(key)
        await sleep(1)
      }
    })()
    const taken: Buffer[] = []
    let large = 0
    let held: { readonly data: Buffer; readonly copy: Buffer; readonly release: (() => void) | undefined }[] = []
    const letGo = (): void => {
      for (const { data, copy, release } of held) {
        assert.ok(data.equals(copy))
        release?.()
      }
      held = []
    }
    const reading = (async () => {
      for await (const { data, release } of subscription) {
        if (release !== undefined) large += 1
        const copy = Buffer.from(data)
        taken.push(copy)
        held.push({ data, copy, release })
        if (held.length > 4) letGo()
      }
      letGo()
    })()
    await writing
    await pump.drained(key)
    await reading
    assert.ok(Buffer.concat(taken).equals(lines))
    assert.ok(large > 0)
  })
})
