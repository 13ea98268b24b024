import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, beforeEach, describe, it } from 'node:test'
import { bytesRequest } from '../harness/archives.ts'
import { engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry, type FakeRegistry } from '../harness/fake-registry.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { makeImage } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: FakeRegistry
const image = makeImage([busyboxTar(), layerTar({ own: randomBytes(1000) })])
const [id, digest, short] = [image.config.digest, image.manifest.digest, image.config.digest.slice(7, 19)]
before(async () => {
  registry = await startFakeRegistry()
  for (const repository of ['one', 'two']) registry.put(repository, '1', image)
  daemon = await startDaemon()
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})
beforeEach(() => daemon.api('DELETE', `/images/${id}?force=1`))

const named = (repository: string, reference: string): string => `${registry.host}/${repository}${reference}`
const pull = async (repository: string, tag: string): Promise<string> => {
  const { status, text } = await daemon.api('POST', `/images/create?fromImage=${registry.host}/${repository}&tag=${tag}`)
  assert.ok(status === 200 && !text.includes('errorDetail'), text)
  return text
}
const names = async (): Promise<readonly [tags: readonly string[], digests: readonly string[]]> => {
  const { body } = await daemon.api('GET', `/images/${id}/json`)
  const { RepoTags, RepoDigests } = body as { RepoTags: string[]; RepoDigests: string[] }
  return [RepoTags, RepoDigests]
}
const remove = async (ref: string): Promise<{ readonly status: number; readonly message?: string; readonly untagged?: readonly string[]; readonly deleted?: boolean }> => {
  const { status, body } = await daemon.api('DELETE', `/images/${ref}`)
  if (status !== 200) return { status, message: (body as { message: string }).message }
  const records = body as { Untagged?: string; Deleted?: string }[]
  return { status, untagged: records.flatMap(({ Untagged }) => Untagged ?? []), deleted: records.some(({ Deleted }) => Deleted === id) }
}

describe('an image that is named by a tag and a digest', () => {
  it('is the one of the digest, whatever the tag: for run, inspect, tag, save, history, FROM and rmi', async () => {
    const pinned = named('one', `:1@${digest}`)
    const text = await pull('one', encodeURIComponent(digest))
    assert.match(text, new RegExp(`"status":"Pulling from one".*"id":"${named('one', `@${digest}`)}"`), 'as docker writes it')
    for (const ref of [pinned, named('one', `:other@${digest}`), named('one', `@${digest}`)]) {
      assert.equal(((await daemon.api('GET', `/images/${ref}/json`)).body as { Id: string }).Id, id, ref)
    }
    const ran = await engine(daemon.host, 'run', '--rm', '--pull', 'never', '--network', 'none', pinned, 'cat', '/own')
    assert.deepEqual([ran.status, ran.stderr], [0, ''])
    const seen = registry.seen.length
    const { body } = await bytesRequest(daemon.socket, 'POST', '/build?q=1', layerTar({ Dockerfile: `FROM ${pinned}\nLABEL a=b\n` }))
    assert.match(body.toString(), /"stream":"sha256:[0-9a-f]{64}\\n"/)
    assert.equal(registry.seen.length, seen, 'it is here and need not be pulled')
    const child = /sha256:[0-9a-f]{64}/.exec(body.toString())?.[0] ?? ''
    assert.equal((await daemon.api('DELETE', `/images/${child}`)).status, 200)
    assert.equal((await daemon.api('GET', `/images/${pinned}/history`)).status, 200)
    const saved = await bytesRequest(daemon.socket, 'GET', `/images/get?names=${encodeURIComponent(pinned)}`)
    assert.deepEqual([saved.status, /"RepoTags":(?:null|\[\])/.test(saved.body.toString('latin1'))], [200, true])
    assert.equal((await daemon.api('POST', `/images/${pinned}/tag?repo=mine&tag=2`)).status, 201)
    assert.deepEqual(await names(), [['mine:2'], [named('one', `@${digest}`)]])
    assert.equal((await daemon.api('DELETE', '/images/mine:2')).status, 200)
    assert.deepEqual(await remove(pinned), { status: 200, untagged: [pinned], deleted: true })
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('is pulled by the command that names it so, and found by the next', async () => {
    const pinned = named('one', `:1@${digest}`)
    const first = await engine(daemon.host, 'run', '--rm', '--network', 'none', pinned, 'true')
    assert.deepEqual([first.status, /Status: Downloaded newer image/.test(first.stderr)], [0, true], first.stderr)
    const second = await engine(daemon.host, 'run', '--rm', '--network', 'none', pinned, 'true')
    assert.deepEqual([second.status, second.stderr], [0, ''])
  })
})

describe('an image with digests', () => {
  it('that has nothing else goes by its id', async () => {
    await pull('one', encodeURIComponent(digest))
    assert.deepEqual(await remove(short), { status: 200, untagged: [named('one', `@${digest}`)], deleted: true })
  })

  it('loses only the one that is named, while there are others', async () => {
    await pull('one', encodeURIComponent(digest))
    await pull('two', encodeURIComponent(digest))
    assert.deepEqual(await remove(short), { status: 409, message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories` })
    assert.deepEqual(await remove(named('one', `@${digest}`)), { status: 200, untagged: [named('one', `@${digest}`)], deleted: false })
    assert.deepEqual(await names(), [[], [named('two', `@${digest}`)]])
  })

  it('loses those of a repository with the last tag there', async () => {
    await pull('one', '1')
    await pull('two', '1')
    assert.equal((await daemon.api('POST', `/images/${named('one', ':1')}/tag?repo=${named('one', '')}&tag=2`)).status, 201)
    assert.deepEqual(await remove(named('one', ':1')), { status: 200, untagged: [named('one', ':1')], deleted: false })
    assert.deepEqual(await remove(named('one', ':2')), { status: 200, untagged: [named('one', ':2'), named('one', `@${digest}`)], deleted: false })
    assert.deepEqual(await names(), [[named('two', ':1')], [named('two', `@${digest}`)]])
    // A digest goes without its tag.
    assert.deepEqual(await remove(named('two', `@${digest}`)), { status: 200, untagged: [named('two', `@${digest}`)], deleted: false })
    assert.deepEqual(await remove(named('two', ':1')), { status: 200, untagged: [named('two', ':1')], deleted: true })
  })

  it('keeps its only name while a container uses it', async () => {
    await pull('one', encodeURIComponent(digest))
    const made = await daemon.api('POST', '/containers/create', { Image: id, Cmd: ['true'], HostConfig: { NetworkMode: 'none' } })
    const container = (made.body as { Id: string }).Id
    const only = named('one', `@${digest}`)
    assert.deepEqual(await remove(only), { status: 409, message: `conflict: unable to remove repository reference "${only}" (must force) - container ${container.slice(0, 12)} is using its referenced image ${short}` })
    assert.equal((await daemon.api('DELETE', `/containers/${container}`)).status, 204)
    assert.deepEqual(await remove(only), { status: 200, untagged: [only], deleted: true })
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})
