import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startFakeRegistry } from '../harness/fake-registry.ts'
import { docker, engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { dockerMissing } from '../harness/docker-command.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { Pulls } from '../harness/pulls.ts'
import { content, described, makeImage, putBlob, putImage, putManifest, startRegistry, type TestRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: TestRegistry
let pulls: Pulls
before(async () => {
  registry = await startRegistry()
  daemon = await startDaemon()
  pulls = new Pulls(daemon)
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

describe('pull', () => {
  const image = makeImage([busyboxTar(), layerTar({ 'etc/two': 'second\n' }), layerTar({ 'etc/.wh.two': '', three: randomBytes(300_000) })])
  const short = image.layers.map(({ digest }) => digest.slice(7, 19))
  const name = (): string => `${registry.host}/some/image`
  before(() => putImage(registry.url, 'some/image', '1', image))

  it("tells Docker's story, and what it made runs", async () => {
    const pulled = await pulls.pull(name(), '1')
    assert.equal(pulled.status, 200)
    const [first, ...rest] = pulled.lines
    assert.deepEqual(first, { status: 'Pulling from some/image', id: '1' })
    assert.deepEqual(rest.slice(0, 3), short.map((id) => ({ status: 'Pulling fs layer', progressDetail: {}, id })))
    for (const id of short) {
      const story = rest.filter((line) => line.id === id).map(({ status }) => status ?? '')
      assert.deepEqual([...new Set(story)], ['Pulling fs layer', 'Downloading', 'Verifying Checksum', 'Download complete', 'Extracting', 'Pull complete'])
    }
    assert.deepEqual(rest.filter(({ status }) => status === 'Pull complete').map(({ id }) => id), short, 'layers are put in place from the lowest on')
    assert.deepEqual(rest.slice(-2).map(({ status }) => status), [`Digest: ${image.manifest.digest}`, `Status: Downloaded newer image for ${name()}:1`])
    const { body } = await daemon.api('GET', `/images/${name()}:1/json`)
    const { Id, RepoTags, RepoDigests } = body as { Id: string; RepoTags: string[]; RepoDigests: string[] }
    assert.deepEqual([Id, RepoTags, RepoDigests], [image.config.digest, [`${name()}:1`], [`${name()}@${image.manifest.digest}`]])
    const ran = await engine(daemon.host, 'run', '--rm', '--network', 'none', `${name()}:1`, 'sh', '-c', 'ls /etc/two; wc -c < /three')
    assert.match(ran.stdout, /^300000$/m)
    assert.match(ran.stderr, /\/etc\/two: No such file/)
    assert.deepEqual(pulls.names('sha256'), [...new Set([image.config, image.manifest, ...image.layers].map(({ digest }) => digest.slice(7)))].sort())
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('asks once when nothing is new', async () => {
    const before = registry.log().length
    const again = await pulls.pull(name(), '1')
    assert.deepEqual(again.lines.map(({ status }) => status), ['Pulling from some/image', `Digest: ${image.manifest.digest}`, `Status: Image is up to date for ${name()}:1`])
    assert.doesNotMatch(registry.log().slice(before), /http.request.method=GET/, 'registries count what is fetched, not what is asked')
  })

  it('takes a digest, and all tags', async () => {
    await putManifest(registry.url, 'some/image', 'other', image.manifest)
    const by = await pulls.pull(name(), image.manifest.digest)
    assert.equal(by.lines.at(-1)?.status, `Status: Image is up to date for ${name()}@${image.manifest.digest}`)
    const all = await pulls.pull(name(), '')
    assert.deepEqual(all.lines.filter(({ id }) => id !== undefined).map(({ id }) => id).sort(), ['1', 'other'])
    assert.equal(all.lines.at(-1)?.status, `Status: Downloaded newer image for ${name()}`)
    await pulls.remove(`${name()}:other`)
  })

  it('shares layers that are here, and leaves nothing when the images are gone', async () => {
    const child = makeImage([busyboxTar(), layerTar({ child: 'x' })])
    await putImage(registry.url, 'some/child', '1', child)
    const pulled = await pulls.pull(`${registry.host}/some/child`, '1')
    assert.deepEqual(pulled.lines.filter(({ id }) => id === short[0]), [{ status: 'Already exists', progressDetail: {}, id: short[0] }])
    await pulls.remove(`${registry.host}/some/child:1`)
    await pulls.remove(`${name()}:1`)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    assert.deepEqual([pulls.names('sha256'), pulls.names('partial')], [[], []])
  })

  it('is done by docker run, and shown as by docker pull', { skip: dockerMissing }, async () => {
    const ran = await docker(daemon.host, 'run', '--rm', '--network', 'none', `${name()}:1`, 'echo', 'hi')
    assert.equal(ran.stdout, 'hi\n')
    assert.match(ran.stderr, new RegExp(`^Unable to find image '${name()}:1' locally\n1: Pulling from some/image\n`))
    assert.match(ran.stderr, new RegExp(`Status: Downloaded newer image for ${name()}:1\n$`))
    const shown = await docker(daemon.host, 'pull', '-q', `${name()}:1`)
    assert.equal(shown.stdout, `${name()}:1\n`)
    await pulls.remove(`${name()}:1`)
  })

  it("refuses in Docker's words", async () => {
    const cases: readonly (readonly [image: string, tag: string, status: number, message: string | RegExp])[] = [
      [name(), 'nope', 404, `manifest for ${name()}:nope not found: manifest unknown: manifest unknown`],
      [`${registry.host}/nope`, '', 404, `repository ${registry.host}/nope not found: name unknown: repository name not known to registry`],
      ['scratch', 'latest', 403, "'scratch' is a reserved name"],
      ['Upper', 'x', 400, 'invalid reference format: repository name (library/Upper) must be lowercase'],
      ['x', '@@', 400, 'invalid tag format'],
      ['127.0.0.1:1/x', 'x', 500, /dial tcp 127\.0\.0\.1:1: connect: connection refused$/],
      ['nosuch.invalid/x', 'x', 500, /dial tcp: lookup nosuch\.invalid: /],
    ]
    for (const [ref, tag, status, message] of cases) {
      const { status: got, body } = await daemon.api('POST', `/images/create?fromImage=${ref}&tag=${encodeURIComponent(tag)}`)
      assert.equal(got, status, `${ref} ${tag} ${JSON.stringify(body)}`)
      if (typeof message === 'string') assert.equal((body as { message: string }).message, message)
      else assert.match((body as { message: string }).message, message)
    }
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})

describe('an index', () => {
  const amd64 = makeImage([layerTar({ arch: 'amd64' })])
  const arm = makeImage([layerTar({ arch: 'arm' })], 'oci', { architecture: 'arm64' })
  const statement = content(JSON.stringify({ _type: 'https://in-toto.io/Statement/v0.1' }), 'application/vnd.in-toto+json')
  const empty = content(JSON.stringify({ architecture: 'unknown', os: 'unknown', config: {}, rootfs: { type: 'layers', diff_ids: [statement.digest] } }), 'application/vnd.oci.image.config.v1+json')
  const attestation = content(JSON.stringify({ schemaVersion: 2, mediaType: amd64.manifest.mediaType, config: described(empty), layers: [described(statement)] }), amd64.manifest.mediaType)
  const reference = { 'vnd.docker.reference.digest': amd64.manifest.digest, 'vnd.docker.reference.type': 'attestation-manifest' }
  const index = content(JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      { ...described(attestation), annotations: reference, platform: { architecture: 'unknown', os: 'unknown' } },
      { ...described(arm.manifest), platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
      { ...described(amd64.manifest), platform: { architecture: 'amd64', os: 'linux' } },
    ],
  }), 'application/vnd.oci.image.index.v1+json')
  const name = (): string => `${registry.host}/multi`
  before(async () => {
    for (const image of [amd64, arm]) await putImage(registry.url, 'multi', image.manifest.digest, image)
    for (const blob of [statement, empty]) await putBlob(registry.url, 'multi', blob)
    await putManifest(registry.url, 'multi', attestation.digest, attestation)
    await putManifest(registry.url, 'multi', '1', index)
  })

  it("gives this machine's image, under the index's digest, with its attestation", async () => {
    const pulled = await pulls.pull(name(), '1')
    assert.equal(pulled.lines.at(-2)?.status, `Digest: ${index.digest}`)
    const { body } = await daemon.api('GET', `/images/${name()}:1/json`)
    assert.deepEqual([(body as { Id: string }).Id, (body as { RepoDigests: string[] }).RepoDigests], [amd64.config.digest, [`${name()}@${index.digest}`]])
    for (const { digest } of [index, attestation, statement, empty]) assert.ok(pulls.names('sha256').includes(digest.slice(7)))
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('gives another platform when asked, and says which it lacks', async () => {
    const pulled = await pulls.pull(name(), '1', '&platform=linux/arm64')
    assert.equal(pulled.lines.at(-1)?.status, `Status: Downloaded newer image for ${name()}:1`)
    const { body } = await daemon.api('GET', `/images/${name()}:1/json`)
    assert.equal((body as { Architecture: string }).Architecture, 'arm64')
    const own = await pulls.pull(name(), '1')
    assert.equal(own.lines.at(-1)?.status, `Status: Downloaded newer image for ${name()}:1`, 'who does not ask for a platform wants the own')
    assert.equal(((await daemon.api('GET', `/images/${name()}:1/json`)).body as { Id: string }).Id, amd64.config.digest)
    assert.equal((await pulls.pull(name(), '1')).lines.at(-1)?.status, `Status: Image is up to date for ${name()}:1`)
    assert.equal((await pulls.pull(name(), '1', '&platform=linux/arm64')).status, 200)
    const none = await pulls.pull(name(), '1', '&platform=linux/s390x')
    assert.equal(none.lines.at(-1)?.error, 'no matching manifest for linux/s390x in the manifest list entries')
    await pulls.remove(arm.config.digest)
    await pulls.remove(amd64.config.digest)
    assert.deepEqual(pulls.names('sha256'), [])
  })

  it('is told by distribution inspect', async () => {
    const { status, body } = await daemon.api('GET', `/distribution/${name()}:1/json`)
    assert.equal(status, 200)
    assert.deepEqual(body, {
      Descriptor: { mediaType: index.mediaType, digest: index.digest, size: index.size },
      Platforms: [{ architecture: 'unknown', os: 'unknown' }, { architecture: 'arm64', os: 'linux', variant: 'v8' }, { architecture: 'amd64', os: 'linux' }],
    })
    assert.equal((await daemon.api('GET', `/distribution/${name()}:nope/json`)).status, 404)
  })
})

describe('mirrors', () => {
  it('are asked first, and the registry itself when they lack the image; what is blocked is not asked', async () => {
    await using mirror = await startFakeRegistry()
    const image = makeImage([layerTar({ from: 'mirror' })])
    await putImage(registry.url, 'mirrored', '1', image)
    await using own = await startDaemon({ registries: { [registry.host]: { mirrors: [mirror.url] }, 'evil.example': { blocked: true } } })
    const create = (of: string): ReturnType<TestDaemon['api']> => own.api('POST', `/images/create?fromImage=${of}&tag=1`)
    assert.match((await create(`${registry.host}/mirrored`)).text, /Downloaded newer image/)
    assert.ok(mirror.seen.some(({ path }) => path === '/v2/mirrored/manifests/1'))
    assert.equal((await own.api('DELETE', `/images/${registry.host}/mirrored:1`)).status, 200)
    const logged = registry.log().length
    mirror.put('mirrored', '1', image)
    assert.match((await create(`${registry.host}/mirrored`)).text, /Downloaded newer image/)
    assert.doesNotMatch(registry.log().slice(logged), /mirrored/)
    const blocked = await create('evil.example/x')
    assert.deepEqual([blocked.status, (blocked.body as { message: string }).message], [403, 'registry evil.example is blocked in the configuration of this engine'])
    assert.ok(existsSync(own.dataRoot) && !readFileSync(join(own.directory, 'log'), 'utf8').includes('fatal'))
  })
})
