import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { build as buildBy, post, type Built } from '../harness/build.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { content, digest, putBlob, putManifest, startRegistry, type TestRegistry } from '../harness/registry.ts'

/** Two engines that know of each other only by a registry. */
let maker: TestDaemon
let user: TestDaemon
let registry: TestRegistry
before(async () => {
  registry = await startRegistry()
  ;[maker, user] = await Promise.all([startDaemon(), startDaemon()])
  for (const daemon of [maker, user]) {
    // The same image on both: an import's configuration has the time of the import.
    assert.equal((await post(daemon, '/images/create?fromSrc=-&repo=imported', busyboxTar())).status, 200)
    assert.equal((await buildBy(daemon, 'FROM imported\nENV same=1', {}, 't=base')).error, undefined)
  }
})
after(async () => {
  for (const one of [maker, user, registry]) await one[Symbol.asyncDispose]()
})

const build = (daemon: TestDaemon, dockerfile: string, query = '', files: Readonly<Record<string, string>> = {}): Promise<Built> => buildBy(daemon, dockerfile, files, query)
const cacheFrom = (...names: string[]): string => `cachefrom=${encodeURIComponent(JSON.stringify(names))}`
const cached = ({ text }: Built): number => text.match(/Using cache/g)?.length ?? 0

interface Inspected {
  readonly RootFS: { readonly Layers: string[] }
  readonly Config: { readonly Cmd: string[] | null; readonly Env: string[]; readonly Entrypoint: string[] | null }
}

async function inspect(daemon: TestDaemon, id: string): Promise<Inspected> {
  return (await daemon.api('GET', `/images/${id}/json`)).body as Inspected
}

/** What a step that is made twice does not make again. */
const random = (name: string): string => `RUN cat /proc/sys/kernel/random/uuid > /${name}`

interface CacheConfig {
  rootfs: { diff_ids: string[] }
  'engine.build.cache': { version: number; steps: [string, string | null][] }
}

async function fetchCache(repository: string, tag: string): Promise<{ manifest: { config: { digest: string }; layers: object[] }; config: CacheConfig }> {
  const manifest = (await (await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } })).json()) as { config: { digest: string }; layers: object[] }
  return { manifest, config: (await (await fetch(`${registry.url}/v2/${repository}/blobs/${manifest.config.digest}`)).json()) as CacheConfig }
}

describe('a cache in a registry', () => {
  const dockerfile = ['FROM base AS tools', random('tool'), 'FROM base', 'COPY f /f', random('own'), 'RUN true', 'COPY --from=tools /tool /tool', 'CMD ["x"]'].join('\n')

  test('is taken by a build that names it, by no other, and is noted nowhere', async () => {
    const ref = `${registry.host}/cache:max`
    const made = await build(maker, dockerfile, `cacheto=type=registry,ref=${ref},mode=max`, { f: '1' })
    assert.equal(made.error, undefined)
    const taken = await build(user, dockerfile, cacheFrom(ref), { f: '1' })
    assert.equal(taken.error, undefined)
    assert.equal(cached(taken), 6, taken.text)
    const [before, after] = [await inspect(maker, made.id), await inspect(user, taken.id)]
    assert.deepEqual(after.RootFS, before.RootFS)
    assert.deepEqual(after.Config, before.Config)
    // The context changed: what comes after it is made here.
    const changed = await build(user, dockerfile, cacheFrom(`type=registry,ref=${ref}`), { f: '2' })
    assert.equal(cached(changed), 1, changed.text)
    const own = await build(user, dockerfile, '', { f: '1' })
    assert.notDeepEqual((await inspect(user, own.id)).RootFS, before.RootFS)
    assert.equal(cached(own), 0, own.text)
    // No image: it is nothing to pull.
    const pulled = await post(user, `/images/create?fromImage=${registry.host}/cache&tag=max`, Buffer.alloc(0))
    assert.match(pulled.text, /Encountered remote/)
  })

  test('of mode min has the steps of the target alone', async () => {
    const ref = `${registry.host}/cache:min`
    await build(maker, dockerfile, `cacheto=type=registry,ref=${ref}`, { f: '3' })
    const { config } = await fetchCache('cache', 'min')
    assert.equal(config['engine.build.cache'].steps.length, 5)
    assert.equal(config.rootfs.diff_ids.length, 3)
  })

  test('that lies about its layers, or cannot be read, is of no use and does no harm', async () => {
    const file = ['FROM base', random('attacked'), 'RUN test ! -e /evil'].join('\n')
    await build(maker, file, `cacheto=type=registry,ref=${registry.host}/honest:1`)
    const { manifest, config } = await fetchCache('honest', '1')
    const put = async (tag: string, lying: object, layers: object[] = manifest.layers): Promise<string> => {
      const blob = content(JSON.stringify(lying), 'application/vnd.engine.build.cache.config.v1+json')
      await putBlob(registry.url, 'honest', blob)
      const { digest: of, size, mediaType } = blob
      await putManifest(registry.url, 'honest', tag, content(JSON.stringify({ ...manifest, config: { digest: of, size, mediaType }, layers }), 'application/vnd.oci.image.manifest.v1+json'))
      return `${registry.host}/honest:${tag}`
    }
    const [[key] = ['']] = config['engine.build.cache'].steps
    const [diffId = ''] = config.rootfs.diff_ids
    const other = digest('other')
    const liars = [
      // Another layer than the one it names; a layer that it has not; fewer layers than it says, no digest, nothing.
      await put('swapped', { ...config, rootfs: { diff_ids: [other] }, 'engine.build.cache': { version: 1, steps: [[key, other]] } }),
      await put('absent', { ...config, 'engine.build.cache': { version: 1, steps: [[key, other]] } }),
      await put('fewer', { ...config, rootfs: { diff_ids: [diffId, other] } }),
      await put('malformed', { ...config, 'engine.build.cache': { version: 1, steps: [[key, '../../etc/passwd']] } }),
      await put('nothing', { rootfs: { diff_ids: [diffId] } }),
    ]
    for (const names of [liars.slice(0, 1), liars.slice(1, 2), [...liars.slice(2), `${registry.host}/none:1`, '127.0.0.1:1/none']]) {
      const built = await build(user, file, cacheFrom(...names))
      assert.equal(built.error, undefined, built.text)
      assert.notDeepEqual((await inspect(user, built.id)).RootFS.Layers.at(1), diffId, names.join())
      assert.equal(built.text.match(/failed to import|cannot be taken|tells of no build steps/g)?.length, names.length, built.text)
      await user.api('POST', '/build/prune?all=1')
    }
    // What it says of configuration is not looked at.
    const dressed = await put('dressed', { ...config, config: { Entrypoint: ['/evil'], Env: ['LD_PRELOAD=/evil.so'] }, history: [{ created_by: 'x' }] })
    const built = await build(user, file, cacheFrom(dressed))
    assert.equal(cached(built), 2, built.text)
    const { Config, RootFS } = await inspect(user, built.id)
    assert.deepEqual([Config.Entrypoint ?? null, Config.Env.some((one) => one.includes('evil')), RootFS.Layers.at(1)], [null, false, diffId])
    for (const option of ['type=local,dest=/x', 'type=registry', 'mode=max', 'type=registry,ref=x,mode=y', 'type=registry,ref=BAD', 'nonsense=1']) {
      assert.notEqual((await build(user, file, `cacheto=${encodeURIComponent(option)}`).catch(() => ({ error: 'refused' }))).error, undefined, option)
    }
  })
})

describe('an image that tells of its steps', () => {
  test('is taken when it is named, pulled or not', async () => {
    const file = ['FROM base', random('inline'), 'ENV a=b', random('more')].join('\n')
    const name = `${registry.host}/inline:1`
    const made = await build(maker, file, `cacheto=type=inline&t=${name}`)
    assert.match((await post(maker, `/images/${registry.host}/inline/push?tag=1`, Buffer.alloc(0))).text, /digest: sha256/)
    const { Layers } = (await inspect(maker, name)).RootFS
    assert.deepEqual(Layers, (await inspect(maker, made.id)).RootFS.Layers)
    const taken = await build(user, file, cacheFrom(name))
    assert.deepEqual((await inspect(user, taken.id)).RootFS.Layers, Layers)
    assert.equal(cached(taken), 3, taken.text)
    await user.api('POST', '/build/prune?all=1')

    assert.match((await post(user, `/images/create?fromImage=${registry.host}/inline&tag=1`, Buffer.alloc(0))).text, /Downloaded newer image/)
    const own = await build(user, file)
    assert.equal(cached(own), 0, own.text)
    await user.api('POST', '/build/prune?all=1')
    const again = await build(user, file, cacheFrom(name))
    assert.deepEqual((await inspect(user, again.id)).RootFS.Layers, Layers)
    // The build argument that BuildKit knows does the same; what is built on it does not tell its steps.
    const child = await build(maker, `FROM ${name}\nENV child=1`)
    const kept = await build(maker, 'FROM base\nENV z=1', `buildargs=${encodeURIComponent('{"BUILDKIT_INLINE_CACHE":"1"}')}`)
    assert.deepEqual([child.error, kept.error], [undefined, undefined])
  })
})
