import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BuildOptions } from '../../packages/engine/src/interface.ts'
import { noFilters, openTestEngine, type TestEngine } from '../harness/engine.ts'

let fixture: TestEngine
let base: string
const cleanups: (() => Promise<void>)[] = []
before(async () => {
  base = mkdtempSync(join(tmpdir(), 'build-mounts-'))
  fixture = await openTestEngine({ after: (work) => void cleanups.push(work) })
})
after(async () => {
  for (const work of cleanups.toReversed()) await work()
  rmSync(base, { recursive: true, force: true })
})

const defaults: BuildOptions = {
  tags: [], dockerfile: 'Dockerfile', buildArgs: {}, labels: {}, noCache: false, quiet: false, remove: true, forceRemove: true, target: '', platform: '',
  networkMode: 'none', extraHosts: [], cacheFrom: [],
}

function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const directory = mkdtempSync(join(base, 'context-'))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(directory, path, '..'), { recursive: true })
    writeFileSync(join(directory, path), content)
  }
  return execFileSync('tar', ['-C', directory, '-c', '.'])
}

async function build(dockerfile: string, files: Readonly<Record<string, string>> = {}, options: Partial<BuildOptions> = {}, signal = new AbortController().signal): Promise<{ id: string; text: string }> {
  const tar = tarOf({ Dockerfile: dockerfile, ...files })
  let text = ''
  let id = ''
  for await (const line of fixture.engine.images.build(Readable.from([tar]), { ...defaults, ...options }, signal)) {
    if (typeof line['stream'] === 'string') text += line['stream']
    if (typeof line['error'] === 'string') throw new Error(`${line['error']}\n${text}`)
    const aux = line['aux'] as { ID?: string } | undefined
    id = aux?.ID ?? id
  }
  return { id, text }
}

/** What lies under the builds' directory, and mounts below it. */
function leftovers(): string[] {
  const builds = join(fixture.options.dataRoot, 'builds')
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${builds}/`))
  return [...mounts, ...readdirSync(builds)]
}

async function settled(): Promise<void> {
  for (let i = 0; i < 200 && leftovers().length > 0; i++) await sleep(50)
  assert.deepEqual(leftovers(), [])
}

describe('mounts of RUN', () => {
  test('show files of the context, of stages and of images, and leave nothing of themselves in the layer', async () => {
    const { id, text } = await build([
      'FROM busybox AS other', 'RUN mkdir /made && echo other > /made/file',
      'FROM busybox', 'RUN find / -xdev | sort > /before',
      'RUN --mount=target=/in/context --mount=from=other,source=/made,target=/in/stage --mount=from=busybox,source=/bin,target=/in/image --mount=source=sub/a,target=/in/file --mount=type=tmpfs,target=/in/tmp '
        + 'cat /in/context/sub/a /in/stage/file /in/file && /in/image/true && ! touch /in/context/x 2>/dev/null && touch /in/tmp/x && grep " /in/tmp tmpfs" /proc/mounts > /dev/null',
      'RUN find / -xdev | sort > /after && diff /before /after | grep -v -e /after -e @@ -e ---; true',
    ].join('\n'), { 'sub/a': 'a\n' })
    assert.match(text, /\na\nother\na\n/)
    assert.doesNotMatch(text, /^[+-]\/in/m)
    const { code } = await fixture.run(['test', '-e', '/in'], {}, { Image: id })
    assert.equal(code, 1)
    await settled()
  })

  test('count by what they show, not by what else is in the stage', async () => {
    const dockerfile = (other: string, shown: string): string => [
      'FROM busybox AS made', `RUN mkdir /out && echo ${other} > /other && echo ${shown} > /out/shown && touch /out/same`, 'FROM busybox', 'RUN --mount=from=made,source=/out,target=/o cat /o/shown > /x',
    ].join('\n')
    await build(dockerfile('1', 'a'))
    assert.match((await build(dockerfile('2', 'a'), {}, { why: true })).text, /RUN --mount[^\n]*\n ---> Using cache\n/)
    assert.match((await build(dockerfile('2', 'b'), {}, { why: true })).text, /RUN --mount[^\n]*\n ---> Not cached: made:\/out\/shown changed\n ---> Running in/)
  })

  test('that are written to are copies', async () => {
    const file = 'FROM busybox AS s\nRUN mkdir /d && echo one > /d/f\nFROM busybox\nRUN --mount=target=/c,rw --mount=from=s,source=/d,target=/d,rw --mount=source=a,target=/one/file,rw echo two > /c/a && echo two > /d/f && echo two > /one/file && cat /c/a /d/f /one/file\nRUN --mount=target=/c --mount=from=s,source=/d,target=/d cat /c/a /d/f; ls /one 2>&1; true'
    const { text } = await build(file, { a: 'a\n' })
    assert.match(text, /\ntwo\ntwo\ntwo\n/)
    assert.match(text, /\na\none\n.*No such file/s)
    await settled()
  })

  test('leave what a step has put in their place', async () => {
    const { id } = await build('FROM busybox\nRUN --mount=target=/kept/inner touch /kept/mine')
    const { stdout } = await fixture.run(['find', '/kept'], {}, { Image: id })
    assert.equal(stdout, '/kept\n/kept/mine\n')
  })

  test('keep caches from build to build, alone if need be', async () => {
    const step = (mount: string, command: string): string => `FROM busybox\nRUN --mount=type=cache,target=/cache${mount} ${command}`
    await build(step('', 'echo x >> /cache/log; echo 1'))
    assert.match((await build(step('', 'echo x >> /cache/log; wc -l < /cache/log; echo 2'))).text, /\n2\n/)
    assert.match((await build(step(',id=other', 'ls /cache | wc -l'))).text, /\n0\n/)
    assert.match((await build(step(',id=seeded,from=busybox,source=/bin,mode=0700,uid=7', 'stat -c "%a %u" /cache; ls /cache/sh'))).text, /700 7\n\/cache\/sh\n/)
    // A cache that began as another's is another, as with BuildKit: it would not be this user's.
    assert.match((await build(step(',uid=7,gid=8,mode=0711', 'stat -c "%a %u %g" /cache; ls /cache | wc -l; echo y > /cache/of-seven'))).text, /711 7 8\n0\n/)
    assert.match((await build(step(',uid=7,gid=8,mode=0711', 'ls /cache; echo again'))).text, /of-seven\nagain\n/)
    assert.match((await build(step('', 'ls /cache; echo still'))).text, /\nlog\nstill\n/)
    // Two builds that want it alone: one after the other.
    const locked = (name: string): string => step(',id=locked,sharing=locked', `test ! -e /cache/busy && touch /cache/busy && sleep 0.3 && rm /cache/busy; echo ${name} $?`)
    const both = await Promise.all([build(locked('a')), build(locked('b'))])
    assert.match(both[0].text + both[1].text, /a 0\n.*b 0\n/s)
    const list = await fixture.engine.builds.cache()
    assert.deepEqual(list.filter(({ Type }) => Type === 'exec.cachemount').map(({ Description }) => Description).toSorted(), ['/cache', '/cache', 'locked', 'other', 'seeded'].map((name) => `cached mount ${name}`).toSorted())
    assert.ok((list.find(({ Description }) => Description === 'cached mount seeded')?.Size ?? 0) > 100_000)
    const pruned = await fixture.engine.builds.prune({ all: false, filters: new Map([['type', ['exec.cachemount']]]) })
    assert.equal(pruned.CachesDeleted?.length, 5)
    assert.deepEqual(readdirSync(join(fixture.options.dataRoot, 'build-cache')), [])
    await settled()
  })
})

test('a cache that only one may have is free again after a step that failed, though its container stays', async () => {
  const file = (end: string): string => `FROM busybox\nRUN --mount=type=cache,id=failed,sharing=locked,target=/c ${end}`
  await assert.rejects(build(file('false'), {}, { remove: true, forceRemove: false }), { message: /non-zero code: 1/ })
  assert.notEqual((await build(file('true'), {}, {}, AbortSignal.timeout(60_000))).id, '')
  const left = await fixture.engine.containers.list({ all: true, size: false, filters: noFilters, limit: undefined })
  for (const { Id } of left) await fixture.engine.containers.remove(Id, { force: true, volumes: true, link: false })
  await settled()
})

describe('secrets', () => {
  test('are seen by the command and kept nowhere', async () => {
    const value = `very-secret-${Date.now()}`
    const { Id } = await fixture.engine.builds.addInputs({ secrets: { s: Buffer.from(value).toString('base64') }, agents: {} })
    const file = 'FROM busybox\nRUN --mount=type=secret,id=s,mode=0440,gid=5 --mount=type=secret,id=s,env=IN_ENV test "$(cat /run/secrets/s)" = "$IN_ENV" && stat -c "%a %g" /run/secrets/s && echo -n "$IN_ENV" | md5sum && grep " /run/secrets/s tmpfs ro" /proc/mounts'
    const { text, id } = await build(file, {}, { inputs: Id })
    assert.match(text, /440 5\n/)
    assert.match(text, new RegExp(execFileSync('md5sum', { input: value, encoding: 'utf8' }).slice(0, 32)))
    await settled()
    // Not in a file, a row or a log below the data root, nor below the exec root.
    const found = execFileSync('sh', ['-c', `grep -rlF ${value} ${fixture.options.dataRoot} ${fixture.options.execRoot} 2>/dev/null || true`], { encoding: 'utf8' })
    assert.equal(found, '')
    const { code } = await fixture.run(['test', '-e', '/run/secrets'], {}, { Image: id })
    assert.equal(code, 1)
    await assert.rejects(build(file, {}, { inputs: Id, noCache: true }), { message: /no such build inputs/ }, 'good for one build only')
  })

  test('may be an agent’s socket', async () => {
    const path = join(base, 'agent')
    const server = createServer((socket) => socket.end('from the agent')).listen(path)
    try {
      const { Id } = await fixture.engine.builds.addInputs({ secrets: {}, agents: { default: path } })
      const { text } = await build('FROM busybox\nRUN --mount=type=ssh,mode=0666 nc local:$SSH_AUTH_SOCK < /dev/null || ls -l $SSH_AUTH_SOCK', {}, { inputs: Id })
      assert.match(text, /from the agent|srw-rw-rw-/)
    } finally {
      server.close()
    }
    await settled()
  })
})

describe('contexts', () => {
  test('come from git, without hooks and other transports', async () => {
    const repository = join(base, 'git/repo')
    mkdirSync(join(repository, 'sub'), { recursive: true })
    const git = (...args: string[]): string => execFileSync('git', ['-C', repository, '-c', 'user.name=x', '-c', 'user.email=x@y', ...args], { encoding: 'utf8' }).trim()
    git('init', '-q', '-b', 'main')
    writeFileSync(join(repository, 'sub/Dockerfile'), 'FROM busybox\nCOPY . /all\nRUN ls -A /all\n')
    writeFileSync(join(repository, 'file'), 'one')
    git('add', '.')
    git('commit', '-qm', 'one')
    git('tag', 'v1')
    writeFileSync(join(repository, 'file'), 'two')
    git('commit', '-qam', 'two')
    const probe = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => probe.once('listening', resolve))
    const { port } = probe.address() as AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    const server = spawn('git', ['daemon', '--reuseaddr', '--listen=127.0.0.1', `--port=${port}`, `--base-path=${join(base, 'git')}`, '--export-all', '--informative-errors'], { stdio: 'ignore' })
    try {
      const url = `git://127.0.0.1:${port}/repo`
      for (let i = 0; ; i++) {
        try {
          execFileSync('git', ['ls-remote', url], { stdio: 'ignore' })
          break
        } catch (error) {
          if (i > 100) throw error
          await sleep(100)
        }
      }
      assert.match((await build('ignored', {}, { remote: `${url}#main:sub` })).text, /\nDockerfile\n/)
      const added = await build(`FROM busybox\nADD ${url}#v1 /src\nADD --keep-git-dir ${url} /with\nRUN cat /src/file /with/file; ls -d /src/.git /with/.git 2>&1; true`)
      assert.match(added.text, /onetwo.*No such file.*\/with\/.git/s)
      await assert.rejects(build('x', {}, { remote: `${url}#nothing` }), /failed to fetch remote repository/)
      await assert.rejects(build('x', {}, { remote: `${url}#--upload-pack=touch /tmp/x` }), /invalid git reference/)
      await assert.rejects(build('x', {}, { remote: `${url}#main:nowhere` }), { message: 'subdirectory "nowhere" of the repository not found' })
      // The builder's own arguments need no ARG.
      const kept = await build('ignored', {}, { remote: url, dockerfile: 'sub/Dockerfile', buildArgs: { BUILDKIT_CONTEXT_KEEP_GIT_DIR: '1' } })
      assert.match(kept.text, /\n\.git\n/)
      assert.doesNotMatch(kept.text, /not consumed/)
      // A server of files alone, which knows no shallow clones.
      execFileSync('git', ['-C', repository, 'update-server-info'])
      const files = createHttpServer((request, response) => {
        const path = join(repository, '.git', new URL(request.url ?? '', 'http://x').pathname.replace('/repo.git/', ''))
        if (existsSync(path) && statSync(path).isFile()) response.end(readFileSync(path))
        else response.writeHead(404).end()
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => files.once('listening', resolve))
      try {
        const dumb = `http://127.0.0.1:${(files.address() as AddressInfo).port}/repo.git`
        assert.match((await build(`FROM busybox\nADD ${dumb}#v1 /src\nRUN cat /src/file`)).text, /\none/)
      } finally {
        files.close()
      }
      await assert.rejects(build('x', {}, { remote: `${url}#main:../../..` }), /ENOENT|ENOTDIR|no such|Cannot locate/i)
    } finally {
      server.kill()
    }
    await settled()
  })

  test('have other directories and images beside them', async () => {
    const { Id } = await fixture.engine.builds.addInputs({ secrets: {}, agents: {} })
    await fixture.engine.builds.addDirectory(Id, 'more', Readable.from([tarOf({ x: 'from more' })]), new AbortController().signal)
    const file = 'FROM tools\nCOPY --from=more x /x\nRUN --mount=from=more,target=/more cat /x /more/x'
    const { text } = await build(file, {}, { inputs: Id, contexts: { more: 'input:', tools: 'docker-image://busybox' } })
    assert.match(text, /from morefrom more/)
    await settled()
  })
})

test('layers of --link follow nothing below them', async () => {
  const { id } = await build('FROM busybox\nRUN mkdir /real && ln -s /real /link\nCOPY --link a /link/a\nCOPY --parents --exclude=*.md p/q /p2/', { a: 'a', 'p/q/r': 'r', 'p/q/s.md': 's' })
  const { stdout } = await fixture.run(['find', '/real', '/link', '/p2'], {}, { Image: id })
  assert.equal(stdout, '/real\n/link\n/link/a\n/p2\n/p2/p\n/p2/p/q\n/p2/p/q/r\n')
})

test('pruning keeps what images with a name were made of', async () => {
  await fixture.engine.builds.prune({ all: true, filters: noFilters })
  await build('FROM busybox\nRUN echo kept > /kept', {}, { tags: ['kept'] })
  await build('FROM busybox\nRUN head -c 100000 /dev/urandom > /gone')
  const { CachesDeleted, SpaceReclaimed } = await fixture.engine.builds.prune({ all: false, filters: noFilters })
  assert.equal(CachesDeleted?.length, 1)
  assert.ok(SpaceReclaimed >= 100_000)
  assert.match((await build('FROM busybox\nRUN echo kept > /kept')).text, /Using cache/)
  assert.equal((await fixture.engine.builds.prune({ all: true, filters: noFilters })).CachesDeleted?.length, 1)
  assert.equal((await fixture.engine.images.inspect('kept')).RepoTags?.[0], 'kept:latest')
  await assert.rejects(fixture.engine.builds.prune({ all: true, filters: new Map([['x', ['y']]]) }), /invalid filter/)
})

test('a client that goes away ends everything', async () => {
  const controller = new AbortController()
  const building = build('FROM busybox AS a\nRUN sleep 100\nFROM busybox AS b\nRUN --mount=type=cache,target=/x --mount=target=/c,rw sleep 101\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /', {}, {}, controller.signal).catch((error: unknown) => error)
  for (let i = 0; i < 200; i++) {
    const running = await fixture.engine.containers.list({ all: false, size: false, filters: noFilters })
    if (running.length === 2) break
    await sleep(50)
  }
  controller.abort()
  await building
  assert.deepEqual(await fixture.engine.containers.list({ all: true, size: false, filters: noFilters }), [])
  await settled()
})
