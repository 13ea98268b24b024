import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dockerArchive, load } from '../harness/archives.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startCuttingProxy, type CuttingProxy } from '../harness/fake-registry.ts'
import { rows, settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { makeImage, putImage, startRegistry, type TestRegistry } from '../harness/registry.ts'

/** Moments of each: while bytes come, by their count, and after the last of them, by time. */
const [coming, come] = [12, 8]

const small = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`many/${i % 20}/file-${i}`, randomBytes(500)]))
const tars = [busyboxTar(), layerTar({ 'one/random': randomBytes(3 << 20) }), layerTar(small), layerTar({ 'one/.wh.random': '', two: randomBytes(4 << 20) })]

let daemon: TestDaemon
before(async () => {
  daemon = await startDaemon()
})
after(() => daemon?.[Symbol.asyncDispose]())

const names = (folder: string): string[] => readdirSync(join(daemon.dataRoot, folder)).sort()

/** Starts the daemon that was killed, and looks at what it finds; nothing but what a row tells of may be there. */
async function startClean(moment: string): Promise<void> {
  const logged = daemon.log().length
  await daemon.start()
  const log = daemon.log().slice(logged)
  assert.deepEqual(await settledDiscrepancies(daemon), [], `${moment}\n${log}`)
  assert.deepEqual(names('content/ingest'), [], moment)
  const fetched = new Set(rows(daemon).fetched.map((digest) => digest.slice('sha256:'.length)))
  assert.deepEqual(names('content/partial').filter((name) => !fetched.has(name)), [], moment)
  assert.deepEqual(log.split('\n').filter((line) => / (error|fatal) /.test(line)), [], moment)
}

/** The image is whole, and goes without leaving anything. */
async function useAndRemove(image: string, moment: string): Promise<void> {
  const files = rows(daemon).layers.flatMap(({ id }) => {
    const root = join(daemon.dataRoot, 'overlay2', id, 'diff')
    return readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)))
  })
  assert.deepEqual([files.filter((path) => path.startsWith('many/')).length, files.filter((path) => path === 'two' || path === 'one/random').length], [400, 2], moment)
  assert.equal((await daemon.api('DELETE', `/images/${image}`)).status, 200)
  assert.deepEqual(await settledDiscrepancies(daemon), [], moment)
  assert.deepEqual([names('content/sha256'), names('content/partial')], [[], []], moment)
}

describe('engined killed in the middle of a pull', () => {
  const image = makeImage(tars)
  const total = [image.manifest, image.config, ...image.layers].reduce((sum, { size }) => sum + size, 0)
  let registry: TestRegistry
  let proxy: CuttingProxy
  before(async () => {
    registry = await startRegistry()
    proxy = await startCuttingProxy(registry.port)
    await putImage(registry.url, 'killed', '1', image)
  })
  after(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await registry?.[Symbol.asyncDispose]()
  })

  const name = (): string => `${proxy.host}/killed:1`
  const pull = async (): Promise<string> => (await daemon.api('POST', `/images/create?fromImage=${proxy.host}/killed&tag=1`)).text

  /** Bytes of the image that are on the disk, whole or in part. */
  const kept = (): number => [...image.layers].reduce((sum, { digest }) => {
    const sizes = ['partial', 'sha256'].map((folder) => statSync(join(daemon.dataRoot, 'content', folder, digest.slice('sha256:'.length)), { throwIfNoEntry: false })?.size ?? 0)
    return sum + Math.max(...sizes)
  }, 0)

  async function interrupt(moment: string, wait: (ended: () => boolean) => Promise<void>): Promise<void> {
    let ended = false
    const work = pull().then(() => 'done', () => 'broken off').finally(() => (ended = true))
    await wait(() => ended)
    await daemon.stop('SIGKILL')
    await work
    await startClean(moment)
    const had = kept()
    const isThere = (await daemon.api('GET', `/images/${name()}/json`)).status === 200
    const before = proxy.received()
    proxy.rate = undefined
    assert.match(await pull(), isThere ? /Image is up to date/ : /Downloaded newer image/, moment)
    const came = proxy.received() - before
    // Manifest, configuration and heads of answers are asked for again.
    assert.ok(came <= total - had + 32_768, `${moment}: ${had} bytes of ${total} were there, and ${came} came`)
    await useAndRemove(name(), moment)
  }

  for (let at = 0; at < coming; at++) {
    it(`after ${at} of ${coming} parts of its bytes: nothing half-made stays, and only what is missing is fetched`, async () => {
      proxy.rate = 16 << 20
      const before = proxy.received()
      const part = (total * at) / coming
      await interrupt(`after ${Math.round(part)} bytes`, async (ended) => {
        while (proxy.received() - before < part && !ended()) await sleep(1)
      })
    })
  }

  const allCame = async (before: number, ended: () => boolean): Promise<number> => {
    while (proxy.received() - before < total && !ended()) await sleep(1)
    return performance.now()
  }
  let duration = 0
  it('undisturbed, is done', async () => {
    let ended = false
    const before = proxy.received()
    const whole = pull().finally(() => (ended = true))
    const last = await allCame(before, () => ended)
    await whole
    duration = performance.now() - last
    await useAndRemove(name(), 'undisturbed')
  })
  for (let at = 0; at < come; at++) {
    it(`after its last byte and ${at} of ${come} parts of what is done then: nothing half-made stays, and nothing is fetched again`, async () => {
      const milliseconds = (duration * 1.1 * (at + Math.random())) / come
      const begun = proxy.received()
      await interrupt(`${milliseconds.toFixed(1)} ms after the last byte`, async (isEnded) => {
        await allCame(begun, isEnded)
        await sleep(milliseconds)
      })
    })
  }
})

describe('engined killed in the middle of a load', () => {
  const archive = dockerArchive(tars, ['loaded:1'])

  /** Sends an archive up to a byte, and says when that is done; the rest comes when it is told to. */
  function send(bytes: number): { readonly sent: Promise<void>; readonly ended: Promise<string>; readonly finish: () => void } {
    let done = (): void => undefined
    const sent = new Promise<void>((resolve) => (done = resolve))
    let finish = (): void => undefined
    const ended = new Promise<string>((resolve) => {
      const request = httpRequest({ socketPath: daemon.socket, method: 'POST', path: '/images/load', agent: false, headers: { 'content-type': 'application/x-tar', 'content-length': archive.length } }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('error', () => resolve('broken off'))
        response.on('end', () => resolve(text))
      })
      request.on('error', () => {
        done()
        resolve('broken off')
      })
      request.write(archive.subarray(0, bytes), () => done())
      finish = () => void request.end(archive.subarray(bytes))
    })
    return { sent, ended, finish }
  }

  async function interrupt(moment: string, work: () => Promise<{ readonly ended: Promise<string> }>): Promise<void> {
    const { ended } = await work()
    await daemon.stop('SIGKILL')
    await ended
    await startClean(moment)
    assert.deepEqual(await load(daemon.socket, archive), { status: 200, said: 'Loaded image: loaded:1\n' }, moment)
    await useAndRemove('loaded:1', moment)
  }

  for (let at = 0; at < coming; at++) {
    it(`after ${at} of ${coming} parts of the archive: nothing stays, and it is loaded anew`, async () => {
      const part = Math.max(1, Math.round((archive.length * at) / coming))
      await interrupt(`after ${part} bytes`, async () => {
        const { sent, ended } = send(part)
        await sent
        return { ended }
      })
    })
  }

  let duration = 0
  it('undisturbed, is done', async () => {
    const { sent, ended, finish } = send(archive.length - 1)
    await sent
    const begun = performance.now()
    finish()
    await ended
    duration = performance.now() - begun
    await useAndRemove('loaded:1', 'undisturbed')
  })
  for (let at = 0; at < come; at++) {
    it(`after its last byte and ${at} of ${come} parts of what is done then: it is there whole or not at all`, async () => {
      const milliseconds = (duration * 1.1 * (at + Math.random())) / come
      await interrupt(`${milliseconds.toFixed(1)} ms after the last byte`, async () => {
        const { sent, ended, finish } = send(archive.length - 1)
        await sent
        finish()
        await sleep(milliseconds)
        return { ended }
      })
    })
  }
})
