import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { startFakeRegistry, type FakeRegistry } from '../harness/fake-registry.ts'
import { busyboxTar } from '../harness/images.ts'
import { content, described, makeImage } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: FakeRegistry
let directory = ''
const base = makeImage([busyboxTar()], 'oci', { config: { Env: ['PATH=/bin', 'GREETING=hello'], OnBuild: ['ENV TRIGGERED=1'] } })
const other = makeImage([busyboxTar()], 'oci', { architecture: 'arm64', config: { Env: ['PATH=/bin', 'OTHER=1'] } })
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'build-check-'))
  registry = await startFakeRegistry()
  registry.put('some/base', '1', base)
  registry.put('some/base', 'arm', other)
  const entry = (image: typeof base, architecture: string): object => ({ ...described(image.manifest), platform: { os: 'linux', architecture } })
  const index = content(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry(other, 'arm64'), entry(base, 'amd64')] }), 'application/vnd.oci.image.index.v1+json')
  registry.documents.set('some/base/manifests/index', index)
  daemon = await startDaemon()
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

/** Paths that the registry was asked for, and what `--check` said. */
async function check(dockerfile: string, ...flags: readonly string[]): Promise<{ readonly asked: readonly string[]; readonly stdout: string; readonly stderr: string; readonly status: number }> {
  writeFileSync(join(directory, 'Dockerfile'), dockerfile)
  registry.seen.length = 0
  const ended = await engine(daemon.host, 'build', '--check', ...flags, directory)
  return { ...ended, asked: registry.seen.map(({ method, path }) => `${method} ${path.replace('/v2/some/base/', '')}`) }
}

test('a check gets the configuration of a base image and no layer, and keeps nothing', async () => {
  for (const tag of ['1', 'index']) {
    const { asked, stdout, status } = await check(`FROM ${registry.host}/some/base:${tag}\nLABEL a=$GREETING b=$NOPE c=$OTHER\n`)
    assert.equal(status, 1)
    assert.deepEqual([...stdout.matchAll(/undefined variable '\$(\w+)'/g)].map((match) => match[1]), ['NOPE', 'OTHER'])
    assert.deepEqual(asked.filter((path) => path.includes('blobs')), [`GET blobs/${base.config.digest}`])
    assert.ok(asked.length <= 4, asked.join())
  }
  for (const kept of ['content/sha256', 'overlay2']) {
    const path = join(daemon.dataRoot, kept)
    assert.deepEqual(existsSync(path) ? readdirSync(path).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [], [], kept)
  }
  assert.deepEqual((await daemon.api('GET', '/images/json?all=1')).body, [])
  assert.equal((await daemon.api('GET', `/images/${registry.host}/some/base:1/json`)).status, 404)
  assert.deepEqual(((await daemon.api('GET', '/system/df')).body as { LayersSize: number }).LayersSize, 0)
})

test('a check asks for the platform that is built for, and says why an image cannot be had', async () => {
  const arm = await check(`FROM ${registry.host}/some/base:index\nLABEL a=$GREETING c=$OTHER\n`, '--platform', 'linux/arm64')
  assert.deepEqual(arm.asked.filter((path) => path.includes('blobs')), [`GET blobs/${other.config.digest}`])
  assert.deepEqual([...arm.stdout.matchAll(/undefined variable '\$(\w+)'/g)].map((match) => match[1]), ['GREETING'])
  const absent = await check(`FROM ${registry.host}/some/base:none\n`)
  assert.equal(absent.status, 1)
  assert.match(absent.stderr, new RegExp(`${registry.host}/some/base:none: failed to resolve source metadata for ${registry.host}/some/base:none: manifest for ${registry.host}/some/base:none not found`))
})
