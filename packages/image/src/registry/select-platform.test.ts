import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseManifest, type Index } from './manifest.ts'
import { attachmentsOf, selectManifest } from './select-platform.ts'

const entry = (digit: string, platform: object | undefined, more: object = {}): object => ({ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${digit.repeat(64)}`, size: 1, ...(platform === undefined ? {} : { platform }), ...more })
function indexOf(...manifests: object[]): Index {
  const index = parseManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })), 'application/vnd.oci.image.index.v1+json')
  assert.ok(index.kind === 'index')
  return index
}
const linux = (architecture: string, variant?: string): object => ({ os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) })
const chosen = (index: Index, architecture: string, variant?: string): string => selectManifest(index, { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) }).digest.charAt(7)

describe('of an index', () => {
  it('the closest platform is chosen', () => {
    const index = indexOf(entry('a', linux('arm', 'v5')), entry('b', linux('arm', 'v7')), entry('c', linux('amd64', 'v3')), entry('d', linux('amd64')), entry('e', linux('386')), entry('f', { os: 'windows', architecture: 's390x' }))
    assert.equal(chosen(index, 'amd64'), 'd')
    assert.equal(chosen(index, 'amd64', 'v2'), 'd')
    assert.equal(chosen(index, 'amd64', 'v4'), 'c')
    assert.equal(chosen(index, 'arm'), 'b')
    assert.equal(chosen(index, 'arm', 'v6'), 'a')
    assert.equal(chosen(index, 'arm64'), 'b')
    assert.equal(chosen(indexOf(entry('e', linux('386'))), 'amd64'), 'e')
    assert.throws(() => chosen(index, 's390x'), { code: 'not-found', message: 'no matching manifest for linux/s390x in the manifest list entries' })
    assert.throws(() => chosen(indexOf(entry('1', linux('s390x'))), 'arm64'), { message: 'no matching manifest for linux/arm64/v8 in the manifest list entries' })
  })

  it('attestations are no platforms, and go with the image that they are about', () => {
    const about = (digit: string): object => ({ annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': `sha256:${digit.repeat(64)}` } })
    const index = indexOf(entry('1', { os: 'unknown', architecture: 'unknown' }, about('3')), entry('2', linux('amd64'), about('4')), entry('3', linux('amd64')), entry('4', linux('arm64')), entry('5', undefined, { artifactType: 'application/x' }))
    const image = selectManifest(index, { os: 'linux', architecture: 'amd64' })
    assert.equal(image.digest.charAt(7), '3')
    assert.deepEqual(attachmentsOf(index, image).map(({ digest }) => digest.charAt(7)), ['1', '5'])
  })
})
