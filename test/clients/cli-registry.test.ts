import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { docker, run, type Ended } from '../harness/command-line.ts'
import { importBusybox } from '../harness/containers.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { docker28Missing, dockerMissing } from '../harness/docker-command.ts'
import { startFakeRegistry } from '../harness/fake-registry.ts'
import { startRegistry, type TestRegistry } from '../harness/registry.ts'

let daemon: TestDaemon
let registry: TestRegistry
let directory = ''
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-login-'))
  registry = await startRegistry({ user: ['me', 'the:secret'] })
  daemon = await startDaemon()
  await importBusybox(connect(daemon.host), `${registry.host}/busybox`)
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const engine = (words: readonly string[], config: string, input = ''): Promise<Ended> =>
  run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), ...words], { env: { ENGINE_HOST: daemon.host, DOCKER_CONFIG: config, PATH: `${directory}:${process.env['PATH'] ?? ''}` }, input })
const file = (config: string): unknown => JSON.parse(readFileSync(join(config, 'config.json'), 'utf8'))

describe('login', () => {
  it('keeps what the registry takes, where the docker command looks for it too', async () => {
    const config = join(directory, 'plain')
    const pushed = await engine(['push', `${registry.host}/busybox`], config)
    assert.deepEqual([pushed.status, pushed.stderr.split('\n')[0]], [1, 'no basic auth credentials'])
    const wrong = await engine(['login', '-u', 'me', '--password-stdin', registry.host], config, 'wrong\n')
    assert.deepEqual([wrong.status, wrong.stderr], [1, `Error response from daemon: login attempt to http://${registry.host}/v2/ failed with status: 401 Unauthorized\n`])
    const right = await engine(['login', '-u', 'me', '--password-stdin', registry.host], config, 'the:secret\n')
    assert.deepEqual([right.status, right.stdout], [0, 'Login Succeeded\n'], right.stderr)
    assert.deepEqual(file(config), { auths: { [registry.host]: { auth: Buffer.from('me:the:secret').toString('base64') } } })
    assert.equal(statSync(join(config, 'config.json')).mode & 0o777, 0o600)
    const done = await engine(['push', `${registry.host}/busybox`], config)
    assert.match(done.stdout, /^Using default tag: latest\nThe push refers to repository .*\n[0-9a-f]{12}: Preparing\n[0-9a-f]{12}: Pushed\nlatest: digest: sha256:[0-9a-f]{64} size: \d+\n$/)
    if (dockerMissing === false) {
      const theirs = await run('docker', ['-H', daemon.host, 'pull', '-q', `${registry.host}/busybox`], { env: { DOCKER_CONFIG: config } })
      assert.equal(theirs.status, 0, theirs.stderr)
    }
    const again = await engine(['login', registry.host], config)
    assert.match(again.stderr, /^Authenticating with existing credentials\.\.\. \[Username: me\]\n/)
    assert.equal(again.stdout, 'Login Succeeded\n')
    const out = await engine(['logout', registry.host], config)
    assert.equal(out.stdout, `Removing login credentials for ${registry.host}\n`)
    assert.deepEqual(file(config), { auths: {} })
    const pull = await engine(['pull', `${registry.host}/other`], config)
    assert.match(pull.stderr, /no basic auth credentials/)
  })

  it('uses a credential helper, and keeps nothing in the file then', async () => {
    const config = mkdtempSync(join(directory, 'helper-'))
    const store = join(directory, 'store')
    writeFileSync(join(directory, 'docker-credential-test'), `#!/bin/sh
case $1 in
store) cat > ${store} ;;
get) cat > /dev/null; if [ -e ${store} ]; then cat ${store}; else echo credentials not found in native keychain; exit 1; fi ;;
erase) cat > /dev/null; rm -f ${store} ;;
esac
`)
    chmodSync(join(directory, 'docker-credential-test'), 0o755)
    writeFileSync(join(config, 'config.json'), JSON.stringify({ credHelpers: { [registry.host]: 'test' }, other: 'kept' }))
    const right = await engine(['login', '-u', 'me', '--password-stdin', registry.host], config, 'the:secret')
    assert.deepEqual([right.status, right.stderr], [0, ''])
    assert.deepEqual(JSON.parse(readFileSync(store, 'utf8')), { ServerURL: registry.host, Username: 'me', Secret: 'the:secret' })
    assert.deepEqual(file(config), { credHelpers: { [registry.host]: 'test' }, other: 'kept', auths: { [registry.host]: {} } })
    assert.equal((await engine(['pull', '-q', `${registry.host}/busybox`], config)).status, 0)
    assert.equal((await engine(['logout', registry.host], config)).status, 0)
    assert.equal((await engine(['pull', `${registry.host}/other`], config)).status, 1)
  })

  it('is to a host, whatever it is written with', async () => {
    const config = join(directory, 'written')
    const auth = { auth: Buffer.from('me:the:secret').toString('base64') }
    for (const server of [`http://${registry.host}/v2/`, `https://${registry.host}/a/b`, `${registry.host}/`]) {
      const right = await engine(['login', '-u', 'me', '--password-stdin', server], config, 'the:secret')
      assert.deepEqual([right.status, file(config)], [0, { auths: { [registry.host]: auth } }], right.stderr)
      assert.equal((await engine(['logout', server], config)).stdout, `Removing login credentials for ${registry.host}\n`)
      assert.deepEqual(file(config), { auths: {} })
    }
  })

  it('leaves the file its owner, and nothing beside it', async () => {
    const config = mkdtempSync(join(directory, 'owned-'))
    writeFileSync(join(config, 'config.json'), '{"other":"kept"}', { mode: 0o644 })
    chownSync(join(config, 'config.json'), 1234, 4321)
    const right = await engine(['login', '-u', 'me', '--password-stdin', registry.host], config, 'the:secret')
    assert.equal(right.status, 0, right.stderr)
    const { gid, mode, uid } = statSync(join(config, 'config.json'))
    assert.deepEqual([uid, gid, mode & 0o777, (file(config) as { other: string }).other], [1234, 4321, 0o600, 'kept'])
    assert.deepEqual(readdirSync(config), ['config.json'])
  })

  it('shows nothing of what a broken helper says', async () => {
    const config = mkdtempSync(join(directory, 'broken-'))
    writeFileSync(join(config, 'config.json'), JSON.stringify({ credsStore: 'broken' }))
    writeFileSync(join(directory, 'docker-credential-broken'), '#!/bin/sh\ncat > /dev/null\necho "hunter2"\n', { mode: 0o755 })
    const pull = await engine(['pull', `${registry.host}/other`], config)
    assert.deepEqual([pull.status, pull.stdout.includes('hunter2')], [1, false])
    assert.match(pull.stderr, /error getting credentials - err: docker-credential-broken answered with something that is no JSON\n$/)
    assert.doesNotMatch(pull.stderr, /hunter2/)
  })

  it("refuses in docker's words", { skip: docker28Missing }, async () => {
    const cases: readonly (readonly [words: readonly string[], message: string])[] = [
      [['login', '--password-stdin', 'x'], 'the --password-stdin option requires --username to be set'],
      [['login', '-u', 'a', '-p', 'b', '--password-stdin', 'x'], 'conflicting options: cannot specify both --password and --password-stdin'],
      [['login', '-u', 'a', 'x'], 'Error: Cannot perform an interactive login from a non TTY device'],
      [['push', '-a', 'x:1'], "tag can't be used with --all-tags/-a"],
      [['pull', '-a', 'x:1'], "tag can't be used with --all-tags/-a"],
    ]
    for (const [words, message] of cases) {
      const config = join(directory, 'none')
      const [ours, theirs] = [await engine(words, config), await docker(daemon.host, ...words)]
      assert.equal(ours.stderr.trim().split('\n').at(-1), message)
      assert.equal(theirs.stderr.trim().split('\n').at(-1), message)
    }
  })
})

describe('search', () => {
  it('shows what a registry finds, as docker does', { skip: docker28Missing }, async () => {
    await using index = await startFakeRegistry((request, response) => {
      if (request.url?.startsWith('/v1/search?q=box&n=') !== true) return false
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ results: [
        { name: 'busybox', description: 'Busybox base image, and a description that is longer than a column', star_count: 3000, is_official: true, is_automated: false },
        { name: 'my/box', description: '', star_count: 1, is_official: false, is_automated: true },
      ] }))
      return true
    })
    for (const words of [['search', `${index.host}/box`], ['search', '--no-trunc', '-f', 'stars=3', `${index.host}/box`], ['search', '--format', '{{.Name}} {{.IsOfficial}} {{.StarCount}}', '--limit', '5', `${index.host}/box`]]) {
      const ours = await engine(words, join(directory, 'none'))
      assert.equal(ours.stderr, '')
      assert.deepEqual(ours.stdout, (await docker(daemon.host, ...words)).stdout, words.join(' '))
    }
  })
})
