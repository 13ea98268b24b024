import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { build } from '@engine/build'
import { unpack } from '../../packages/build/src/testing/unpack.ts'
import { copyFixture } from '../harness/copy-fixture.ts'

const fixture = copyFixture()
const { put, run } = fixture

describe('a context', () => {
  test('has its Dockerfile in Docker’s places', async () => {
    put({ 'sub/x': 'x' })
    await run('FROM base\nCOPY sub/D /D', { dockerfile: 'sub/D' })
    await run('FROM base', { dockerfile: 'dockerfile' })
    rmSync(join(fixture.context, 'Dockerfile'), { force: true })
    await run('FROM base', { dockerfile: 'dockerfile' })
    await assert.rejects(run('', { dockerfile: 'Dockerfile' }), { message: 'the Dockerfile (Dockerfile) cannot be empty', code: 'invalid-argument' })
    writeFileSync(join(fixture.context, 'real'), 'FROM base')
    const missing = async (dockerfile: string): Promise<void> => void (await build(Readable.from([execFileSync('tar', ['-C', fixture.context, '-c', '.'])]), {
      tags: [], dockerfile, platform: '', noCache: false, quiet: false, remove: true, forceRemove: false, target: '', buildArgs: {}, labels: {},
    }, { executor: fixture.executor, unpack, directory: mkdtempSync(join(fixture.base, 'work-')), signal: new AbortController().signal }).next())
    await assert.rejects(missing('nope'), { message: 'Cannot locate specified Dockerfile: nope' })
    await assert.rejects(missing('../x'), { message: 'forbidden path outside the build context: ../x ()' })
  })

  test('loses Dockerfile and .dockerignore when these are ignored', async () => {
    put({ '.dockerignore': 'Dockerfile\n.dockerignore\nkept', kept: 'k' })
    const root = await run('FROM base\nCOPY . /c/')
    assert.deepEqual(readdirSync(join(root, 'c')), ['kept'])
    put({ '.dockerignore': '*\n!Dockerfile' })
    assert.deepEqual(readdirSync(join(await run('FROM base\nCOPY . /c/'), 'c')), ['Dockerfile', 'kept'])
  })

  test('must be an archive', async () => {
    const broken = build(Readable.from([Buffer.from('x')]), {
      tags: [], dockerfile: 'Dockerfile', platform: '', noCache: false, quiet: false, remove: true, forceRemove: false, target: '', buildArgs: {}, labels: {},
    }, { executor: fixture.executor, unpack, directory: mkdtempSync(join(fixture.base, 'work-')), signal: new AbortController().signal })
    await assert.rejects(broken.next(), { message: 'unexpected EOF' })
  })
})

test('tags are checked first and told last', async () => {
  await run('FROM base\nUSER x', { tags: ['abc', 'x/y:2', 'abc'] })
  assert.deepEqual(fixture.lines.slice(-3).map((line) => String(line['stream']).replace(/[0-9a-f]{12}/, '<id>')), ['Successfully built <id>\n', 'Successfully tagged abc:latest\n', 'Successfully tagged x/y:2\n'])
  await assert.rejects(run('FROM base', { tags: ['Bad'] }), { message: 'invalid reference format: repository name (library/Bad) must be lowercase' })
  await assert.rejects(run('FROM base', { remote: 'foo' }), { message: 'remoteURL (foo) could not be recognized as URL' })
  await assert.rejects(run('FROM base', { remote: 'x/y' }), { message: 'remoteURL (x/y) could not be recognized as URL' })
})
