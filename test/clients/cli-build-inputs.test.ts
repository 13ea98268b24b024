import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { engine } from '../harness/command-line.ts'
import { post } from '../harness/build.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { patience } from '../harness/patience.ts'

let daemon: TestDaemon
let base: string
before(async () => {
  base = mkdtempSync(join(tmpdir(), 'cli-build-inputs-'))
  daemon = await startDaemon()
  assert.equal((await post(daemon, '/images/create?fromSrc=-&repo=busybox', busyboxTar())).status, 200)
})
after(async () => {
  await daemon[Symbol.asyncDispose]()
  rmSync(base, { recursive: true, force: true })
})

/** Makes a context with the host's ssh-add and what it is linked to. */
function contextWithTool(): string {
  const context = join(base, 'context')
  const libraries = [...execFileSync('ldd', ['/usr/bin/ssh-add'], { encoding: 'utf8' }).matchAll(/(\/\S+) \(/g)].map(([, path]) => path as string)
  for (const path of ['/usr/bin/ssh-add', ...libraries]) {
    mkdirSync(join(context, 'root', path, '..'), { recursive: true })
    cpSync(realpathSync(path), join(context, 'root', path))
  }
  return context
}

function makeKey(name: string, passphrase = ''): string {
  const path = join(base, name)
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', `the key ${name}`, '-f', path])
  return path
}

/** Agents that `engine build` has started and not ended. */
const agents = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('engine-ssh-'))

describe('what a build is given besides its context', () => {
  it('are SSH keys, of files or of an agent: steps sign with them and never see them', async () => {
    const context = contextWithTool()
    const [held, filed] = [makeKey('held'), makeKey('filed')]
    for (const key of [held, filed]) cpSync(`${key}.pub`, join(context, 'root', `${key.split('/').at(-1)}.pub`))
    // ssh-add -T signs with the private key and verifies that with the public one.
    const use = (key: string, id: string): string => `RUN --mount=type=ssh,id=${id} chmod 644 /*.pub && ssh-add -l && ssh-add -T /${key}.pub && touch /${key}-works`
    writeFileSync(join(context, 'Dockerfile'), `FROM busybox\nCOPY root /\n${use('held', 'default')}\n${use('filed', 'files')}\nRUN test -e /held-works -a -e /filed-works -a ! -e /run/buildkit\n`)
    const socket = join(base, 'agent')
    const agent = spawn('/usr/bin/ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    try {
      for (let i = 0; i < 200 * patience && !existsSync(socket); i++) await sleep(20)
      execFileSync('ssh-add', ['-q', held], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
      const before = agents()
      const built = await engine(daemon.host, 'build', '--progress', 'plain', '--ssh', `default=${socket}`, '--ssh', `files=${filed}`, context)
      assert.equal(built.status, 0, built.stderr)
      assert.match(built.stderr, /the key held/)
      assert.match(built.stderr, /the key filed/)
      assert.deepEqual(agents(), before)
      const secret = makeKey('locked', 'a passphrase')
      const locked = await engine(daemon.host, 'build', '--ssh', secret, '--ssh', `default=${secret}`, context)
      assert.notEqual(locked.status, 0)
      const without = await engine(daemon.host, 'build', '--progress', 'plain', '--ssh', `default=${secret}`, context)
      assert.match(without.stderr, /failed to parse ssh key/)
      assert.match((await engine(daemon.host, 'build', '--ssh', `x=${base}/none`, context)).stderr, /no such file or directory/)
      assert.deepEqual(agents(), before)
    } finally {
      agent.kill('SIGKILL')
    }
  })

  it('are secrets, of files and of variables: no byte of them is kept', async () => {
    const context = join(base, 'secrets')
    mkdirSync(context)
    const [filed, variable] = [`filed-${process.pid}-${Date.now()}`, `variable-${process.pid}-${Date.now()}`]
    writeFileSync(join(base, 'secret'), filed)
    // The output of a step is its own: it tells their digests alone.
    const see = 'RUN --mount=type=secret,id=a --mount=type=secret,id=b,env=B sha256sum /run/secrets/a && printf %s "$B" | sha256sum && false'
    writeFileSync(join(context, 'Dockerfile'), `FROM busybox\n${see.replace(' && false', '')}\nRUN --mount=type=secret,id=a,target=/etc/s test -s /etc/s\n`)
    const args = ['--secret', `id=a,src=${join(base, 'secret')}`, '--secret', 'id=b,env=OF_THE_TEST']
    process.env['OF_THE_TEST'] = variable
    const built = await engine(daemon.host, 'build', '--progress', 'plain', '-t', 'secret', ...args, context)
    assert.equal(built.status, 0, built.stderr)
    for (const value of [filed, variable]) assert.ok(built.stderr.includes(execFileSync('sha256sum', { input: value, encoding: 'utf8' }).slice(0, 64)), built.stderr)
    writeFileSync(join(context, 'Dockerfile'), `FROM busybox\n${see}\n`)
    assert.notEqual((await engine(daemon.host, 'build', '--progress', 'classic', '--why', ...args, context)).status, 0)
    // The container of a failed step stays, as in Docker's classic builder, and what it had mounted goes.
    assert.equal(((await daemon.api('GET', '/containers/json?all=1')).body as unknown[]).length, 1)
    // Layers, database, ledger, events, logs, and what is under the exec root; half of a secret would be one too many.
    const patterns = [filed, variable].flatMap((value) => [value.slice(0, 14), Buffer.from(value).toString('base64').slice(0, 14)])
    for (const pattern of patterns) {
      const found = execFileSync('sh', ['-c', 'grep -rlF -e "$1" "$2" "$3" 2>/dev/null || true', 'sh', pattern, daemon.directory, daemon.execRoot], { encoding: 'utf8' })
      assert.equal(found, '', pattern)
    }
    const history = JSON.stringify((await daemon.api('GET', '/images/secret/history')).body)
    assert.ok(!history.includes(filed) && !history.includes(variable))
    assert.ok(!readFileSync(`/proc/${daemon.pid()}/environ`, 'utf8').includes(variable))
  })
})
