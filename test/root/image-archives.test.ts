import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { newEntry } from '@engine/image'
import { bytesRequest, configFor, dockerArchive, file, load, sha256, tarOf } from '../harness/archives.ts'
import { engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'

let daemon: TestDaemon
let directory = ''
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-archives-'))
  daemon = await startDaemon()
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

interface Inspected {
  readonly Id: string
  readonly RepoTags: readonly string[]
  readonly RootFS: { readonly Layers: readonly string[] }
}

interface ManifestItem {
  readonly Config: string
  readonly RepoTags: readonly string[] | null
  readonly Layers: readonly string[]
}

const tars = [busyboxTar(), layerTar({ 'etc/two': 'second\n' }), layerTar({ 'etc/.wh.two': '', three: randomBytes(200_000) })]
const config = configFor(tars)
const id = `sha256:${sha256(config)}`
const archive = dockerArchive(tars, ['first:1', 'registry.test:5000/a/b:latest'])

const inspect = async (name: string): Promise<Inspected> => (await daemon.api('GET', `/images/${name}/json`)).body as Inspected
const save = async (...names: readonly string[]): Promise<Buffer> => {
  const { status, body } = await bytesRequest(daemon.socket, 'GET', `/images/get?${names.map((name) => `names=${name}`).join('&')}`)
  assert.equal(status, 200, body.toString().slice(0, 300))
  return body
}
const remove = async (name: string): Promise<void> => {
  const { status, text } = await daemon.api('DELETE', `/images/${name}?force=1`)
  assert.equal(status, 200, text)
}
const write = (name: string, bytes: Buffer): string => {
  writeFileSync(join(directory, name), bytes)
  return join(directory, name)
}
const unpack = (name: string, bytes: Buffer): string => {
  const target = join(directory, `${name}.d`)
  mkdirSync(target)
  execFileSync('tar', ['-xf', write(name, bytes), '-C', target])
  return target
}
const skopeo = (...args: readonly string[]): string => execFileSync('skopeo', ['--insecure-policy', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd: directory })
const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T

describe('load and save', () => {
  it('an image has its names, its id and its files, and runs', async () => {
    assert.deepEqual(await load(daemon.socket, archive), { status: 200, said: 'Loaded image: first:1\nLoaded image: registry.test:5000/a/b:latest\n' })
    const image = await inspect('first:1')
    assert.equal(image.Id, id)
    assert.deepEqual(image.RepoTags, ['first:1', 'registry.test:5000/a/b:latest'])
    const { stdout } = await engine(daemon.host, 'run', '--rm', '--network', 'none', 'first:1', 'sh', '-c', 'test ! -e /etc/two && wc -c < /three')
    assert.equal(stdout.trim(), '200000')
  })

  it('what is saved are the same bytes each time, with the same layers', async () => {
    const saved = await save('first:1', 'registry.test:5000/a/b')
    assert.ok(saved.equals(await save('first:1', 'registry.test:5000/a/b')))
    const target = unpack('saved.tar', saved)
    const [item] = readJson<ManifestItem[]>(join(target, 'manifest.json'))
    assert.deepEqual(item?.RepoTags, ['first:1', 'registry.test:5000/a/b:latest'])
    assert.equal(item.Config, `blobs/sha256/${id.slice(7)}`)
    assert.deepEqual(item.Layers, tars.map((tar) => `blobs/sha256/${sha256(tar)}`))
    for (const [at, path] of item.Layers.entries()) assert.ok(readFileSync(join(target, path)).equals(tars[at] as Buffer))
    assert.ok(readFileSync(join(target, item.Config)).equals(config))
  })

  it('skopeo reads what is saved, as a Docker archive and as an OCI layout', async () => {
    const saved = await save('first:1')
    const path = write('for-skopeo.tar', saved)
    assert.equal(sha256(Buffer.from(skopeo('inspect', '--raw', '--config', `docker-archive:${path}`))), id.slice(7))
    const layers = tars.map((tar) => `sha256:${sha256(tar)}`)
    const layout = unpack('layout.tar', saved)
    assert.deepEqual((JSON.parse(skopeo('inspect', `oci:${layout}:1`)) as { Layers: string[] }).Layers, layers)
  })

  it('skopeo’s archives are read, with the same ids; layers come compressed and are saved and pushed as they came', async () => {
    const path = write('to-skopeo.tar', await save('first:1'))
    skopeo('copy', `docker-archive:${path}`, `docker-archive:${join(directory, 'by-skopeo.tar')}:by-skopeo:1`)
    skopeo('copy', `docker-archive:${path}`, `oci-archive:${join(directory, 'oci.tar')}:by-skopeo/oci:2`)
    await remove('first:1')
    assert.deepEqual(await load(daemon.socket, readFileSync(join(directory, 'by-skopeo.tar'))), { status: 200, said: 'Loaded image: by-skopeo:1\n' })
    assert.equal((await inspect('by-skopeo:1')).Id, id)
    await remove(id)

    const oci = readFileSync(join(directory, 'oci.tar'))
    assert.deepEqual(await load(daemon.socket, oci), { status: 200, said: 'Loaded image: by-skopeo/oci:2\n' })
    const { RootFS } = await inspect('by-skopeo/oci:2')
    assert.deepEqual(RootFS.Layers, tars.map((tar) => `sha256:${sha256(tar)}`))
    const before = readJson<{ manifests: { digest: string }[] }>(join(unpack('oci-came.tar', oci), 'index.json'))
    const again = readJson<{ manifests: { digest: string }[] }>(join(unpack('oci-left.tar', await save('by-skopeo/oci:2')), 'index.json'))
    assert.deepEqual(again.manifests.map(({ digest }) => digest), before.manifests.map(({ digest }) => digest))
    await remove('by-skopeo/oci:2')
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('archives are taken in compressed', async () => {
    const xz = execFileSync('xz', ['-0', '-c'], { input: archive, maxBuffer: 1 << 28 })
    for (const compressed of [gzipSync(archive, { level: 1 }), zstdCompressSync(archive), xz]) {
      assert.equal((await load(daemon.socket, compressed)).said, 'Loaded image: first:1\nLoaded image: registry.test:5000/a/b:latest\n')
      assert.equal((await inspect('first:1')).Id, id)
      await remove(id)
    }
  })

  it('layers that are links to others are found, and an image without a name is told by its id', async () => {
    const [base] = tars as [Buffer]
    const twice = configFor([base, base])
    const linked = tarOf(
      file('a/layer.tar', base),
      [newEntry('symlink', 'b/layer.tar', { linkPath: Buffer.from('../a/layer.tar') })],
      file('c.json', twice),
      file('manifest.json', [{ Config: 'c.json', RepoTags: null, Layers: ['a/layer.tar', 'b/layer.tar'] }]),
    )
    assert.deepEqual(await load(daemon.socket, linked), { status: 200, said: `Loaded image ID: sha256:${sha256(twice)}\n` })
    await remove(`sha256:${sha256(twice)}`)
  })

  it('a name moves to the image that is loaded, and progress is told to who asks', async () => {
    await load(daemon.socket, archive)
    const other = layerTar({ other: 'x' })
    const { said } = await load(daemon.socket, dockerArchive([other], ['first:1']))
    assert.equal(said, `The image first:1 already exists, renaming the old one with ID ${id} to empty string\nLoaded image: first:1\n`)
    const progress = (await bytesRequest(daemon.socket, 'POST', '/images/load?quiet=0', dockerArchive([layerTar({ another: 'y' })], ['third:1']))).body.toString()
    assert.match(progress, /^\{"status":"Loading layer","progressDetail":\{"current":\d+,"total":\d+\},"progress":"\[=+> *\] +[\d.]+kB\/[\d.]+kB","id":"[0-9a-f]{12}"\}\r\n/)
    for (const name of ['first:1', 'registry.test:5000/a/b', 'third:1']) await remove(name)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('of an index for several platforms this machine’s image is taken, or the one that was asked for', async () => {
    const layers = { amd64: layerTar({ arch: 'amd64' }), arm64: layerTar({ arch: 'arm64' }) }
    const blobs: Buffer[] = []
    const described = (bytes: Buffer, mediaType: string): object => {
      blobs.push(bytes)
      return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length }
    }
    const manifests = Object.entries(layers).map(([architecture, tar]) => {
      const own = configFor([tar], { architecture })
      const manifest = Buffer.from(JSON.stringify({
        schemaVersion: 2,
        config: described(own, 'application/vnd.oci.image.config.v1+json'),
        layers: [described(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip')],
      }))
      return { ...described(manifest, 'application/vnd.oci.image.manifest.v1+json'), platform: { os: 'linux', architecture } }
    })
    const nested = described(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })), 'application/vnd.oci.image.index.v1+json')
    const index = { schemaVersion: 2, manifests: [{ ...nested, annotations: { 'org.opencontainers.image.ref.name': 'localhost/multi:1' } }] }
    const layout = tarOf(file('oci-layout', { imageLayoutVersion: '1.0.0' }), file('index.json', index), ...blobs.map((blob) => file(`blobs/sha256/${sha256(blob)}`, blob)))
    for (const [query, architecture] of [['', 'amd64'], ['?platform={"os":"linux","architecture":"arm64"}', 'arm64']] as const) {
      assert.equal((await load(daemon.socket, layout, encodeURI(query))).said, 'Loaded image: localhost/multi:1\n')
      assert.equal(((await inspect('localhost/multi:1')) as unknown as { Architecture: string }).Architecture, architecture)
      await remove('localhost/multi:1')
    }
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('says what cannot be saved', async () => {
    assert.deepEqual(JSON.parse((await bytesRequest(daemon.socket, 'GET', '/images/nosuch/get')).body.toString()), { message: 'No such image: nosuch' })
    await load(daemon.socket, archive)
    const foreign = await bytesRequest(daemon.socket, 'GET', `/images/first:1/get?platform=${encodeURIComponent('{"os":"linux","architecture":"arm64"}')}`)
    assert.deepEqual([foreign.status, JSON.parse(foreign.body.toString())], [404, { message: 'no suitable export target found for platform linux/arm64' }])
    await remove(id)
  })
})

describe('export', () => {
  it('is the tar of a container’s root without its volumes, running or not', async () => {
    await load(daemon.socket, archive)
    const created = await daemon.api('POST', '/containers/create?name=exported', { Image: 'first:1', Cmd: ['sleep', '1000'], HostConfig: { NetworkMode: 'none', Binds: [`${directory}:/bound`] } })
    assert.equal(created.status, 201, created.text)
    const listing = async (): Promise<string[]> => {
      const { status, body } = await bytesRequest(daemon.socket, 'GET', '/containers/exported/export')
      assert.equal(status, 200)
      return execFileSync('tar', ['-tf', '-'], { input: body, encoding: 'utf8' }).split('\n')
    }
    const before = await listing()
    for (const name of ['bin/', 'bin/busybox', 'three']) assert.ok(before.includes(name), name)
    assert.ok(!before.some((name) => /^etc\/two$|^\.?\/$|^\.$/.test(name)), 'nothing that was taken away, no root')
    assert.equal((await daemon.api('POST', '/containers/exported/start')).status, 204)
    assert.equal((await engine(daemon.host, 'exec', 'exported', 'touch', '/made')).status, 0)
    const running = await listing()
    for (const name of ['made', 'bound/']) assert.ok(running.includes(name), name)
    assert.ok(!running.some((name) => /^bound\/./.test(name)), 'no volumes')
    await daemon.api('DELETE', '/containers/exported?force=1')
    await remove(id)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})

describe('system df', () => {
  interface Usage {
    readonly LayersSize: number
    readonly Images: readonly { Size: number; SharedSize: number; Containers: number }[] | null
    readonly Containers: readonly { SizeRw: number }[] | null
    readonly Volumes: readonly { Name: string; UsageData: { Size: number; RefCount: number } }[] | null
    readonly BuildCache: readonly object[] | null
  }
  const usage = async (query = ''): Promise<Usage> => (await daemon.api('GET', `/system/df${query}`)).body as Usage
  const du = (...paths: readonly string[]): number => Number(execFileSync('du', ['-scB1', '--apparent-size', ...paths.map((path) => join(daemon.dataRoot, path))], { encoding: 'utf8' }).trimEnd().split('\n').at(-1)?.split('\t')[0])

  it('says what du says', async () => {
    const base = layerTar({ large: randomBytes(20 << 20) })
    await load(daemon.socket, dockerArchive([base], ['base:1']))
    await load(daemon.socket, dockerArchive([base, layerTar({ more: randomBytes(5 << 20) })], ['more:1']))
    const all = await usage()
    const near = (one: number, other: number): void => assert.ok(Math.abs(one - other) < other / 100, `${one} ${other}`)
    near(all.LayersSize, du('overlay2', 'content'))
    const [first, second] = [...(all.Images ?? [])].sort((a, b) => a.Size - b.Size)
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(first.SharedSize, first.Size)
    assert.equal(second.SharedSize, first.Size)
    assert.equal(second.Size, all.LayersSize)

    await load(daemon.socket, dockerArchive(tars, ['first:1']))
    const script = 'dd if=/dev/zero of=/v/a bs=1M count=3 && dd if=/dev/zero of=/own bs=1M count=2'
    assert.equal((await engine(daemon.host, 'run', '--name', 'user', '--network', 'none', '-v', 'used:/v', 'first:1', 'sh', '-c', script)).status, 0)
    const { Containers, Volumes, Images } = await usage()
    near(Volumes?.[0]?.UsageData.Size ?? 0, du('volumes/used/_data'))
    assert.deepEqual(Volumes?.map(({ Name, UsageData }) => [Name, UsageData.RefCount]), [['used', 1]])
    near(Containers?.[0]?.SizeRw ?? 0, 2 << 20)
    assert.deepEqual(Images?.map(({ Containers: count }) => count).sort(), [0, 0, 1])

    const some = await usage('?type=volume&type=container')
    assert.deepEqual([some.LayersSize, some.Images, some.BuildCache, some.Containers?.length, some.Volumes?.length], [0, null, null, 1, 1])
    assert.deepEqual((await daemon.api('GET', '/system/df?type=foo')).body, { message: 'unknown object type: foo' })
    // Clients before 1.42 did not know of kinds.
    assert.equal(((await daemon.api('GET', '/v1.41/system/df?type=volume')).body as { Images: unknown[] }).Images.length, 3)
  })
})
