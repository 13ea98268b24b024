import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { newEntry } from '@engine/image'
import { bytesRequest, dockerArchive, file, load, sparseTar, tarOf } from '../harness/archives.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry, type FakeRegistry } from '../harness/fake-registry.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { makeImage } from '../harness/registry.ts'

const MiB = 1 << 20
const limits = { entries: 50, depth: 20, 'path-length': 300, 'pax-size': '10k', 'sparse-size': '8M', 'total-size': '16M', 'compression-ratio': 20, 'compression-ratio-from': '2M' }

let daemon: TestDaemon
let registry: FakeRegistry
before(async () => {
  registry = await startFakeRegistry()
  daemon = await startDaemon({ 'archive-limits': limits })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

/** A layer beyond each limit, what is said of it, and one that is within. */
const cases: Readonly<Record<keyof typeof limits, readonly [beyond: () => Buffer, error: RegExp, within: () => Buffer]>> = {
  entries: [
    () => tarOf(...Array.from({ length: 51 }, (_, i) => file(`f${i}`, ''))), /^the archive has more than 50 entries$/,
    () => tarOf(...Array.from({ length: 50 }, (_, i) => file(`f${i}`, ''))),
  ],
  depth: [() => tarOf(file(`${'d/'.repeat(20)}f`, '')), /^a path of the archive is deeper than 20 directories$/, () => tarOf(file(`${'d/'.repeat(19)}f`, ''))],
  'path-length': [
    () => tarOf(file(`${'d'.repeat(150)}/${'e'.repeat(150)}`, '')), /^a path of the archive is longer than 300 bytes$/,
    () => tarOf(file(`${'d'.repeat(150)}/${'e'.repeat(149)}`, '')),
  ],
  'pax-size': [
    () => tarOf([newEntry('file', 'x', { xattrs: new Map([['user.x', Buffer.alloc(11_000)]]) })]), /^an extended header of the archive is larger than 10240 bytes$/,
    () => tarOf([newEntry('file', 'x', { xattrs: new Map([['user.x', Buffer.alloc(3_000)]]) })]),
  ],
  'sparse-size': [() => sparseTar('x', 9 * MiB), /^a sparse file of the archive is larger than 8388608 bytes$/, () => sparseTar('x', 8 * MiB)],
  'total-size': [
    () => tarOf(file('a', randomBytes(9 * MiB)), file('b', randomBytes(8 * MiB))), /^the archive's files are larger than 16777216 bytes$|^the layers of the image are larger than 16777216 bytes$|^the content is larger than 16777216 bytes$/,
    () => tarOf(file('a', randomBytes(9 * MiB)), file('b', randomBytes(6 * MiB))),
  ],
  'compression-ratio': [() => tarOf(file('zeros', Buffer.alloc(4 * MiB))), /^the archive uncompresses to more than 20 times its size$/, () => tarOf(file('random', randomBytes(300_000)), file('zeros', Buffer.alloc(4 * MiB)))],
  'compression-ratio-from': [() => tarOf(file('zeros', Buffer.alloc(2 * MiB))), /^the archive uncompresses to more than 20 times its size$/, () => tarOf(file('zeros', Buffer.alloc(2 * MiB - 65_536)))],
}

/** Brings a layer in. @returns the error, '' without one */
const ways: Readonly<Record<string, (layer: Buffer) => Promise<string>>> = {
  async pull(layer) {
    registry.put('limited', '1', makeImage([layer]))
    const { text } = await daemon.api('POST', `/images/create?fromImage=${registry.host}/limited&tag=1`)
    const last = JSON.parse(text.trim().split('\r\n').at(-1) ?? '{}') as { error?: string; message?: string }
    return last.error ?? last.message ?? ''
  },
  async load(layer) {
    // The archive itself is compressed: its ratio counts as well.
    const { said } = await load(daemon.socket, gzipSync(dockerArchive([layer], ['limited:1']), { level: 1 }))
    return said.startsWith('Loaded image') ? '' : said
  },
  async import(layer) {
    const { status, body } = await bytesRequest(daemon.socket, 'POST', '/images/create?fromSrc=-&repo=limited', gzipSync(layer, { level: 1 }))
    const last = JSON.parse(body.toString().trim().split('\r\n').at(-1) ?? '{}') as { error?: string; message?: string }
    return last.error ?? last.message ?? (status === 200 ? '' : String(status))
  },
}

describe('an archive beyond a limit of the configuration is refused, and one within is not', () => {
  for (const [key, [beyond, error, within]] of Object.entries(cases)) {
    it(key, async () => {
      for (const [way, bring] of Object.entries(ways)) {
        assert.match(await bring(beyond()), error, way)
        assert.deepEqual(await settledDiscrepancies(daemon), [], way)
        for (const folder of ['content/sha256', 'content/partial', 'content/ingest', 'overlay2/.making']) assert.deepEqual(readdirSync(join(daemon.dataRoot, folder)), [], `${way} ${folder}`)
        assert.equal(await bring(within()), '', way)
        const { body } = await daemon.api('GET', '/images/json?all=1')
        for (const { Id } of body as { Id: string }[]) assert.equal((await daemon.api('DELETE', `/images/${Id}?force=1`)).status, 200)
      }
    })
  }

  it('says which limit it is, to who asks in JSON', async () => {
    const { body } = await bytesRequest(daemon.socket, 'POST', '/images/load', dockerArchive([tarOf(file(`${'d/'.repeat(30)}f`, ''))], ['limited:1']))
    assert.deepEqual(JSON.parse(body.toString()), { message: 'a path of the archive is deeper than 20 directories', hint: 'if it is meant to be so, raise depth of archive-limits in engine.json' })
  })
})
