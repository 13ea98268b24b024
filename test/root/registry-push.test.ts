import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { docker, engineOk, run } from '../harness/command-line.ts'
import { importBusybox } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { dockerMissing } from '../harness/docker-command.ts'
import { startCuttingProxy, startFakeRegistry } from '../harness/fake-registry.ts'
import { contextTar } from '../harness/kill-points.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { content, described, makeImage, putBlob, putImage, putManifest, startRegistry, type TestRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: TestRegistry
let directory = ''
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-push-'))
  registry = await startRegistry()
  daemon = await startDaemon()
  await importBusybox(connect(daemon.host))
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

interface Line {
  readonly status?: string
  readonly id?: string
  readonly error?: string
  readonly aux?: { readonly Tag: string; readonly Digest: string; readonly Size: number }
}

const push = async (name: string, tag: string): Promise<Line[]> => {
  const { status, text } = await daemon.api('POST', `/images/${name}/push?tag=${tag}`)
  assert.equal(status, 200, text)
  return text.split('\r\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Line)
}
const tag = async (from: string, repository: string, name: string): Promise<void> => {
  assert.equal((await daemon.api('POST', `/images/${from}/tag?repo=${repository}&tag=${name}`)).status, 201)
}
const story = (lines: readonly Line[]): string[] => lines.flatMap(({ id, status }) => (id === undefined || status === 'Pushing' || status === undefined ? [] : [status]))
const build = async (dockerfile: string, name: string): Promise<void> => {
  const { body } = await connect(daemon.host).stream('POST', '/build', { query: { t: name }, body: contextTar(dockerfile) })
  const text = Buffer.concat(await body.toArray() as Buffer[]).toString()
  assert.match(text, /Successfully tagged/)
}
const manifestOf = async (repository: string, reference: string, type = 'application/vnd.docker.distribution.manifest.v2+json'): Promise<{ readonly digest: string | null; readonly type: string | null; readonly text: string }> => {
  const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, { headers: { accept: type } })
  return { digest: answer.headers.get('docker-content-digest'), type: answer.headers.get('content-type'), text: await answer.text() }
}

const bigImage = 'push-big:1'

describe('push', () => {
  it('sends what was made here; others read it; a second push sends nothing', async () => {
    await build(`FROM busybox\nRUN echo ${randomBytes(4).toString('hex')} > /made\nCOPY file /\n`, `${registry.host}/made:1`)
    const lines = await push(`${registry.host}/made`, '1')
    assert.deepEqual(lines[0], { status: `The push refers to repository [${registry.host}/made]` })
    assert.deepEqual(story(lines).slice(0, 3), ['Preparing', 'Preparing', 'Preparing'])
    assert.deepEqual(story(lines).slice(3), ['Pushed', 'Pushed', 'Pushed'])
    const there = await manifestOf('made', '1')
    const { aux } = lines.at(-1) ?? {}
    assert.deepEqual(aux, { Tag: '1', Digest: there.digest, Size: there.text.length })
    assert.equal(lines.at(-2)?.status, `1: digest: ${there.digest} size: ${there.text.length}`)

    const again = await push(`${registry.host}/made`, '1')
    assert.deepEqual(story(again).slice(3), ['Layer already exists', 'Layer already exists', 'Layer already exists'])
    assert.equal(again.at(-1)?.aux?.Digest, there.digest, 'the layers have the same digests')
    const { body } = await daemon.api('GET', `/images/${registry.host}/made:1/json`)
    assert.deepEqual((body as { RepoDigests: string[] }).RepoDigests, [`${registry.host}/made@${there.digest}`])

    const copied = await run('skopeo', ['copy', '--src-tls-verify=false', `docker://${registry.host}/made:1`, `dir:${join(directory, 'made')}`])
    assert.equal(copied.status, 0, copied.stderr)
    const config = (JSON.parse(readFileSync(join(directory, 'made/manifest.json'), 'utf8')) as { config: { digest: string } }).config.digest
    assert.equal(config, (body as { Id: string }).Id)
  })

  it('mounts layers that another repository of the registry has', async () => {
    await tag(`${registry.host}/made:1`, `${registry.host}/elsewhere`, '2')
    const lines = await push(`${registry.host}/elsewhere`, '2')
    assert.deepEqual(story(lines).slice(3), ['Mounted from made', 'Mounted from made', 'Mounted from made'])
    assert.equal((await manifestOf('elsewhere', '2')).digest, lines.at(-1)?.aux?.Digest)
  })

  it('gives what was pulled the digests that it had, with its index and attestations', async () => {
    const image = makeImage([layerTar({ a: 'a' })])
    const statement = content('{"_type":"x"}', 'application/vnd.in-toto+json')
    const empty = content('{}', 'application/vnd.oci.image.config.v1+json')
    const attestation = content(JSON.stringify({ schemaVersion: 2, mediaType: image.manifest.mediaType, config: described(empty), layers: [described(statement)] }), image.manifest.mediaType)
    const annotations = { 'vnd.docker.reference.digest': image.manifest.digest, 'vnd.docker.reference.type': 'attestation-manifest' }
    const entries = [{ ...described(image.manifest), platform: { architecture: 'amd64', os: 'linux' } }, { ...described(attestation), annotations, platform: { architecture: 'unknown', os: 'unknown' } }]
    const type = 'application/vnd.oci.image.index.v1+json'
    const index = content(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: entries }), type)
    await putImage(registry.url, 'attested', image.manifest.digest, image)
    for (const blob of [statement, empty]) await putBlob(registry.url, 'attested', blob)
    await putManifest(registry.url, 'attested', attestation.digest, attestation)
    await putManifest(registry.url, 'attested', '1', index)
    assert.match((await daemon.api('POST', `/images/create?fromImage=${registry.host}/attested&tag=1`)).text, /Downloaded newer image/)

    await using other = await startRegistry()
    await tag(`${registry.host}/attested:1`, `${other.host}/copy`, '1')
    const lines = await push(`${other.host}/copy`, '1')
    assert.equal(lines.at(-1)?.aux?.Digest, index.digest)
    const got = await fetch(`${other.url}/v2/copy/manifests/1`, { headers: { accept: type } })
    assert.equal(await got.text(), index.bytes.toString())
    assert.equal((await fetch(`${other.url}/v2/copy/blobs/${statement.digest}`)).status, 200)
  })

  it('pushes all tags, and says what there is none of', async () => {
    await tag('busybox', `${registry.host}/many`, 'a')
    await tag('busybox', `${registry.host}/many`, 'b')
    assert.deepEqual((await push(`${registry.host}/many`, '')).flatMap(({ aux }) => (aux === undefined ? [] : [aux.Tag])), ['a', 'b'])
    assert.equal((await push(`${registry.host}/none`, '1')).at(-1)?.error, `An image does not exist locally with the tag: ${registry.host}/none`)
    assert.equal((await push(`${registry.host}/many`, 'c')).at(-1)?.error, `tag does not exist: ${registry.host}/many:c`)
  })

  it('goes on where the connection was cut', async () => {
    await using proxy = await startCuttingProxy(registry.port)
    writeFileSync(join(directory, 'big.tar'), layerTar({ big: randomBytes(8 << 20) }))
    await engineOk(daemon.host, 'import', join(directory, 'big.tar'), bigImage)
    await tag(bigImage, `${proxy.host}/cut`, '1')
    // The attempt to speak TLS; then the connection on which the blob goes is cut twice. This registry keeps nothing of a request that
    // broke off, and forgets its session.
    proxy.requestCuts.push(1e9, 3 << 20, 6 << 20)
    const lines = await push(`${proxy.host}/cut`, '1')
    assert.equal(lines.at(-1)?.error, undefined, JSON.stringify(lines.at(-1)))
    assert.ok(story(lines).some((status) => status.startsWith('Retrying in ')))
    assert.equal((await manifestOf('cut', '1')).digest, lines.at(-1)?.aux?.Digest)
  })

  it('sends again only what a registry has not got, when that keeps what came', async () => {
    let stored = Buffer.alloc(0)
    let breaks = 2
    await using keeping = await startFakeRegistry((request, response, fake) => {
      const [path] = (request.url ?? '').split('?')
      const answer = (status: number, headers: Readonly<Record<string, string>> = {}): true => {
        response.writeHead(status, headers).end()
        return true
      }
      if (request.method === 'POST') return answer(202, { location: '/v2/cut/blobs/uploads/1' })
      if (request.method === 'GET') return answer(204, { range: `0-${stored.length - 1}` })
      if (request.method === 'PUT') {
        if (path?.includes('/manifests/') === true) fake.documents.set('pushed', content(path, ''))
        return answer(201)
      }
      if (request.method !== 'PATCH') return answer(404)
      const isBroken = breaks-- > 0
      const begun = stored.length
      request.on('data', (chunk: Buffer) => {
        stored = Buffer.concat([stored, chunk])
        if (isBroken && stored.length > begun + (2 << 20)) request.destroy()
      })
      request.on('end', () => answer(202, { location: '/v2/cut/blobs/uploads/1' }))
      return true
    })
    await tag(bigImage, `${keeping.host}/cut`, '1')
    const lines = await push(`${keeping.host}/cut`, '1')
    assert.equal(lines.at(-1)?.error, undefined, JSON.stringify(lines.at(-1)))
    assert.ok(keeping.documents.has('pushed'))
    const ranges = keeping.seen.filter(({ method }) => method === 'PATCH').map(({ headers }) => Number(String(headers['content-range']).split('-')[0]))
    assert.ok(ranges.length >= 3 && ranges.every((start, at) => at === 0 || start > (ranges[at - 1] ?? 0)), `pieces began at ${ranges.join(', ')}`)
    assert.equal(`sha256:${createHash('sha256').update(stored).digest('hex')}`, keeping.seen.find(({ method, path }) => method === 'PUT' && path.includes('digest='))?.path.split('digest=')[1]?.replace('%3A', ':'))
  })

  it('is done by the docker command', { skip: dockerMissing }, async () => {
    const pushed = await docker(daemon.host, 'push', `${registry.host}/many:a`)
    assert.equal(pushed.status, 0, pushed.stderr)
    assert.match(pushed.stdout, new RegExp(`^The push refers to repository \\[${registry.host}/many\\]\n[0-9a-f]{12}: Preparing\n[0-9a-f]{12}: Layer already exists\na: digest: sha256:[0-9a-f]{64} size: \\d+\n$`))
  })
})
