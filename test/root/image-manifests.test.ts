import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { bytesRequest, load } from '../harness/archives.ts'
import { docker, engineOk } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { docker28Missing } from '../harness/docker-command.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { content, described, makeImage, putBlob, putImage, putManifest, startRegistry, type Content, type TestRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: TestRegistry
let directory = ''

const image = makeImage([busyboxTar(), layerTar({ two: 'second\n' })])
const foreign = makeImage([layerTar({ foreign: 'x' })], 'oci', { architecture: 'arm64' })
const statement = content('{"_type":"https://in-toto.io/Statement/v0.1"}', 'application/vnd.in-toto+json')
const attestationConfig = content('{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}', 'application/vnd.oci.image.config.v1+json')
const attestation = content(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: described(attestationConfig), layers: [{ ...described(statement), annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' } }] }), 'application/vnd.oci.image.manifest.v1+json')
const unknown = { architecture: 'unknown', os: 'unknown' }
const about = (manifest: Content): object => ({ 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': manifest.digest })
const entries = [
  { ...described(foreign.manifest), platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
  { ...described(attestation), annotations: about(image.manifest), platform: unknown },
  { ...described(image.manifest), platform: { architecture: 'amd64', os: 'linux' } },
]
const index = content(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: entries }), 'application/vnd.oci.image.index.v1+json')

const name = (): string => `${registry.host}/attested`

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-manifests-'))
  registry = await startRegistry()
  daemon = await startDaemon()
  for (const one of [image, foreign]) await putImage(registry.url, 'attested', one.config.digest.slice(7, 19), one)
  for (const blob of [statement, attestationConfig]) await putBlob(registry.url, 'attested', blob)
  await putManifest(registry.url, 'attested', attestation.digest, attestation)
  await putManifest(registry.url, 'attested', '1', index)
  const { text } = await daemon.api('POST', `/images/create?fromImage=${name()}&tag=1`)
  assert.match(text, /Downloaded newer image/)
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

interface Inspected {
  readonly Descriptor?: object
  readonly Manifests?: { readonly ID: string; readonly Size: { readonly Content: number; readonly Total: number } }[]
}

const inspect = async (query = '', version = ''): Promise<Inspected> => (await daemon.api('GET', `${version}/images/${name()}:1/json${query}`)).body as Inspected
const list = async (query = '', version = ''): Promise<Inspected[]> => (await daemon.api('GET', `${version}/images/json${query}`)).body as Inspected[]

/** What there is to say of the image; `containers` of its own manifest. */
async function expected(containers: readonly string[]): Promise<object[]> {
  const unpacked = ((await daemon.api('GET', `/images/${name()}:1/json`)).body as { Size: number }).Size
  const [arm, attached, own] = entries as [object, object, object]
  const bytes = [image.manifest, image.config, ...image.layers].reduce((sum, { size }) => sum + size, 0)
  const attachedBytes = [attestation, attestationConfig, statement].reduce((sum, { size }) => sum + size, 0)
  return [
    { ID: attestation.digest, Descriptor: attached, Available: true, Size: { Content: attachedBytes, Total: attachedBytes }, Kind: 'attestation', AttestationData: { For: image.manifest.digest } },
    { ID: image.manifest.digest, Descriptor: own, Available: true, Size: { Content: bytes, Total: bytes + unpacked }, Kind: 'image', ImageData: { Platform: { architecture: 'amd64', os: 'linux' }, Containers: containers, Size: { Unpacked: unpacked } } },
    { ID: foreign.manifest.digest, Descriptor: arm, Available: false, Size: { Content: 0, Total: 0 }, Kind: 'image', ImageData: { Platform: { architecture: 'arm64', os: 'linux', variant: 'v8' }, Containers: [], Size: { Unpacked: 0 } } },
  ]
}

describe('the manifests of an image', () => {
  it('are told in list and inspect when they are asked for, to clients that know of them', async () => {
    const { status, body } = await daemon.api('POST', '/containers/create', { Image: `${name()}:1`, Cmd: ['true'], HostConfig: { NetworkMode: 'none' } })
    assert.equal(status, 201)
    const { Id } = body as { Id: string }
    const manifests = await expected([Id])
    const descriptor = described(index)
    assert.deepEqual([(await inspect('?manifests=1')).Manifests, (await list('?manifests=1'))[0]?.Manifests], [manifests, manifests])
    assert.deepEqual([(await inspect()).Descriptor, (await list())[0]?.Descriptor], [descriptor, descriptor])
    assert.deepEqual([(await inspect()).Manifests, (await list())[0]?.Manifests], [undefined, undefined])
    const [of47, of46] = [(await list('?manifests=1', '/v1.47'))[0], (await list('?manifests=1', '/v1.46'))[0]]
    assert.deepEqual([of47?.Manifests, of47?.Descriptor, of46?.Manifests], [manifests, undefined, undefined])
    assert.equal((await inspect('?manifests=1', '/v1.47')).Manifests, undefined)
    await daemon.api('DELETE', `/containers/${Id}`)
  })

  it('are what docker image ls --tree shows: platforms, and no attestation among them', { skip: docker28Missing }, async () => {
    const { stdout } = await docker(daemon.host, 'image', 'ls', '--tree')
    assert.match(stdout, /linux\/amd64/)
    assert.match(stdout, /linux\/arm64/)
    assert.doesNotMatch(stdout, /unknown/)
  })

  it('are not chosen among by mistake', async () => {
    const wrong = await daemon.api('POST', `/images/create?fromImage=${name()}&tag=1&platform=unknown/unknown`)
    assert.match(wrong.text, /operating system is not supported/)
    const platform = encodeURIComponent('{"os":"linux","architecture":"arm64"}')
    const message = `image with reference ${name()}:1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)`
    for (const [path, status, text] of [
      [`json?platform=${platform}`, 404, message],
      [`history?platform=${platform}`, 404, message],
      [`json?manifests=1&platform=${platform}`, 400, 'conflicting options: manifests and platform options cannot both be set'],
      ['json?platform=junk', 400, "failed to parse platform: invalid character 'j' looking for beginning of value"],
    ] as const) {
      const answer = await daemon.api('GET', `/images/${name()}:1/${path}`)
      assert.deepEqual([answer.status, (answer.body as { message: string }).message], [status, text], path)
    }
    assert.equal((await daemon.api('GET', `/images/${name()}:1/json?platform=${encodeURIComponent('{"os":"linux","architecture":"amd64"}')}`)).status, 200)
  })
})

describe('attestations', () => {
  it('are saved, loaded and pushed along, under the same digests', async () => {
    const before = await inspect('?manifests=1')
    const { status, body: saved } = await bytesRequest(daemon.socket, 'GET', `/images/${name()}:1/get`)
    assert.equal(status, 200)
    writeFileSync(join(directory, 'saved.tar'), saved)
    mkdirSync(join(directory, 'layout'))
    execFileSync('tar', ['-xf', join(directory, 'saved.tar'), '-C', join(directory, 'layout')])
    const { manifests } = JSON.parse(readFileSync(join(directory, 'layout/index.json'), 'utf8')) as { manifests: { digest: string; mediaType: string }[] }
    assert.deepEqual(manifests.map(({ digest, mediaType }) => [digest, mediaType]), [[index.digest, index.mediaType]])
    for (const { digest } of [attestation, attestationConfig, statement, image.manifest, image.config, ...image.layers]) assert.ok(existsSync(join(directory, 'layout/blobs/sha256', digest.slice(7))), digest)
    const skopeo = (...args: readonly string[]): string => execFileSync('skopeo', ['--insecure-policy', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    assert.equal((JSON.parse(skopeo('inspect', `oci:${join(directory, 'layout')}:1`)) as { Architecture: string }).Architecture, 'amd64')
    assert.ok(skopeo('inspect', `docker-archive:${join(directory, 'saved.tar')}`).includes('"Architecture": "amd64"'))

    const prepare = async (archive: Buffer): Promise<Inspected> => {
      assert.equal((await daemon.api('DELETE', `/images/${name()}:1`)).status, 200)
      assert.deepEqual(await settledDiscrepancies(daemon), [])
      assert.equal((await load(daemon.socket, archive)).said, `Loaded image: ${name()}:1\n`)
      assert.deepEqual(await settledDiscrepancies(daemon), [])
      return inspect('?manifests=1')
    }
    const again = await prepare(saved)
    assert.deepEqual([again.Descriptor, again.Manifests], [before.Descriptor, before.Manifests])
    // Without manifest.json it is a layout alone.
    rmSync(join(directory, 'layout/manifest.json'))
    const layout = await prepare(execFileSync('tar', ['-C', join(directory, 'layout'), '-cf', '-', '.'], { maxBuffer: 1 << 28 }))
    assert.deepEqual([layout.Descriptor, layout.Manifests], [before.Descriptor, before.Manifests])
    assert.ok(saved.equals((await bytesRequest(daemon.socket, 'GET', `/images/${name()}:1/get`)).body), 'saved again it is the same')

    assert.equal((await daemon.api('POST', `/images/${name()}:1/tag?repo=${registry.host}/elsewhere&tag=2`)).status, 201)
    await engineOk(daemon.host, 'push', `${registry.host}/elsewhere:2`)
    for (const { digest } of [attestation, image.manifest]) assert.equal((await fetch(`${registry.url}/v2/elsewhere/manifests/${digest}`, { headers: { accept: attestation.mediaType } })).status, 200)
  })
})
