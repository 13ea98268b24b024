import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { getXattr, listXattrs, removeXattr, setXattr } from '@engine/linux/xattr'
import { docker, engine, engineOk, run, type Ended } from '../harness/command-line.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { dockerMissing } from '../harness/docker-command.ts'
import { busyboxTar } from '../harness/images.ts'

describe('building from the command line', () => {
  let daemon: TestDaemon
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-cli-build-'))
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    await engineOk(daemon.host, 'import', '-c', 'CMD ["sh"]', join(directory, 'busybox.tar'), 'busybox')
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  let count = 0
  /** Makes a context of its own. */
  function context(files: Readonly<Record<string, string>>): string {
    const path = join(directory, `context-${count++}`)
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(path, name, '..'), { recursive: true })
      writeFileSync(join(path, name), content)
    }
    return path
  }
  const build = (path: string, ...flags: readonly string[]): Promise<Ended> =>
    engine(daemon.host, 'build', '--network', 'none', ...(flags.some((flag) => flag.startsWith('--progress')) ? [] : ['--progress=classic']), ...flags, path)

  it('shows steps line by line as BuildKit does', async () => {
    const path = context({ Dockerfile: 'FROM busybox AS a\nRUN echo hello; printf "no end"\nFROM a\nENV x=y\n' })
    const first = await build(path, '--progress=plain', '-t', 'plain')
    assert.equal(first.status, 0, first.stderr)
    assert.equal(first.stdout, '')
    assert.match(first.stderr, /^#\d+ \[a 2\/2\] RUN echo hello; printf "no end"$/m)
    assert.match(first.stderr, /^#\d+ \d+\.\d{3} hello$/m)
    assert.match(first.stderr, /^#\d+ \d+\.\d{3} no end$/m)
    assert.match(first.stderr, /^#\d+ DONE \d+\.\ds$/m)
    assert.match(first.stderr, /^#\d+ \d+\.\d{3} naming to plain:latest$/m)
    const second = await build(path, '--progress=plain')
    assert.match(second.stderr, /^#\d+ \[a 2\/2\] RUN echo hello.*\n#\d+ CACHED$/m)
    const failing = await build(context({ Dockerfile: 'FROM busybox\nRUN echo before; exit 9' }), '--progress=plain')
    assert.equal(failing.status, 9)
    assert.match(failing.stderr, /ERROR: The command .* returned a non-zero code: 9\n(.*\n)*------\n > \[stage-0 2\/2\] RUN echo before; exit 9:\nbefore\n------\n/)
    const lines = (await build(path, '--progress=rawjson')).stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.ok(lines.some((line) => 'vertex' in line))
  })

  it('tells of itself as BuildKit does where there is no terminal, and as the classic builder where that is asked for', async () => {
    const path = context({ Dockerfile: 'FROM busybox\nRUN true' })
    const args = ['--', join(dist, 'engine.cjs'), 'build', '--network', 'none', '-t', 'told', path]
    const plain = await run(join(dist, 'bin/node'), args, { env: { ENGINE_HOST: daemon.host } })
    assert.equal(plain.stdout, '')
    assert.match(plain.stderr, /^#2 \[stage-0 2\/2\] RUN true$/m)
    const classic = await run(join(dist, 'bin/node'), args, { env: { ENGINE_HOST: daemon.host, DOCKER_BUILDKIT: '0' } })
    assert.match(classic.stdout, /^Step 2\/2 : RUN true$/m)
    assert.match(classic.stdout, /^Successfully tagged told:latest$/m)
    assert.equal((await build(path, '--progress=classic')).stderr, '')
    assert.match((await build(path, '--progress=loud')).stderr, /invalid progress type "loud"/)
  })

  it('says why a step ran, and fails where it was expected not to', async () => {
    const path = context({ Dockerfile: 'FROM busybox\nCOPY . /app\n', 'src/a.ts': 'a' })
    await build(path)
    assert.equal((await build(path, '--expect-cached')).status, 0)
    writeFileSync(join(path, 'src/a.ts'), 'b')
    writeFileSync(join(path, 'x.log'), 'new')
    const missed = await build(path, '--expect-cached')
    assert.equal(missed.status, 1)
    assert.match(missed.stderr, /not cached: /)
    const { stdout } = await build(path, '--why')
    assert.match(stdout, /Not cached: \/?\.?\/?src\/a\.ts changed/)
    assert.match(stdout, /Not cached: \/?\.?\/?x\.log is new and not ignored/)
  })

  it('sends the extended attributes that a copy keeps, and forgets those that are gone', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY . /\n', plain: 'p', 'd/in': 'i', tool: 't', hard: 'h' })
    linkSync(join(path, 'hard'), join(path, 'hard2'))
    const binary = Buffer.from([0, 255, 10, 61])
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    setXattr(join(path, 'plain'), 'user.x', binary)
    setXattr(join(path, 'd'), 'user.of a directory', Buffer.from('d'.repeat(300)))
    setXattr(join(path, 'tool'), 'security.capability', capability)
    setXattr(join(path, 'tool'), 'trusted.x', Buffer.from('mine'))
    setXattr(join(path, 'hard'), 'user.h', Buffer.alloc(0))
    const built = async (): Promise<Record<string, string[]>> => {
      const { status, stderr } = await build(path, '-t', 'attributes')
      assert.equal(status, 0, stderr)
      const image = (await daemon.api('GET', '/images/attributes/json')).body as { GraphDriver: { Data: { UpperDir: string } } }
      const upper = image.GraphDriver.Data.UpperDir
      return Object.fromEntries(['plain', 'd', 'd/in', 'tool', 'hard2'].map((name) => [name, listXattrs(join(upper, name)).map((attribute) => `${attribute}=${getXattr(join(upper, name), attribute)?.toString('hex')}`)]))
    }
    const expected = { plain: [`user.x=${binary.toString('hex')}`], d: [`user.of a directory=${'64'.repeat(300)}`], 'd/in': [], tool: [`security.capability=${capability.toString('hex')}`], hard2: ['user.h='] }
    // With several names of one file the whole archive is sent, without them only what has changed.
    assert.deepEqual(await built(), expected)
    rmSync(join(path, 'hard2'))
    writeFileSync(join(path, 'hard2'), '')
    assert.deepEqual(await built(), { ...expected, hard2: [] })
    removeXattr(join(path, 'd'), 'user.of a directory')
    removeXattr(join(path, 'plain'), 'user.x')
    setXattr(join(path, 'd/in'), 'user.new', Buffer.from('n'))
    assert.deepEqual(await built(), { plain: [], d: [], 'd/in': ['user.new=6e'], tool: expected.tool, hard2: [] })
  })

  it('tells nothing but the id when it is to be quiet, and knows it', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY x /\n', x: 'quiet' })
    const [iid, out] = [join(directory, 'quiet.iid'), join(directory, 'quiet')]
    const { status, stdout, stderr } = await build(path, '-q', '--iidfile', iid, '-o', out)
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/)
    assert.equal(readFileSync(iid, 'utf8'), stdout.trim())
    assert.equal(readFileSync(join(out, 'x'), 'utf8'), 'quiet')
    const failed = await build(context({ Dockerfile: 'FROM busybox\nRUN echo said && exit 3\n' }), '-q', '--force-rm')
    assert.deepEqual([failed.status, failed.stdout], [3, ''])
    assert.match(failed.stderr, /RUN echo said[^]*\nsaid\n[^]*returned a non-zero code: 3/)
  })

  it('lists what a build would be sent', async () => {
    const path = context({ Dockerfile: 'FROM scratch', '.dockerignore': '*.log\nsub\n!sub/keep', 'a.log': 'x', 'sub/gone': 'x', 'sub/keep': 'x', b: 'yy' })
    assert.equal((await build(path, '--context-ls')).stdout, [
      '+ .dockerignore\t19B', '+ Dockerfile\t12B', '- a.log\t.dockerignore: *.log', '+ b\t2B', '- sub/\t.dockerignore: sub', '- sub/gone\t.dockerignore: sub', '+ sub/keep\t1B',
      '4 files, 34B; 3 paths are left out\n',
    ].join('\n'))
  })

  it('checks a Dockerfile', async () => {
    const bad = await build(context({ Dockerfile: 'FROM busybox\nCMD x\n' }), '--check')
    assert.equal(bad.status, 1)
    assert.match(bad.stdout, /^Dockerfile:2: JSONArgsRecommended: /m)
    const outside = join(directory, 'outside.Dockerfile')
    writeFileSync(outside, 'FROM busybox\nCMD x\n')
    assert.match((await build(context({ x: '' }), '--check', '-f', outside)).stdout, /^Dockerfile:2: JSONArgsRecommended: /)
    const good = await build(context({ Dockerfile: 'FROM busybox\nCMD ["x"]\n' }), '--check')
    assert.deepEqual([good.status, good.stdout], [0, 'Check complete, no warnings found.\n'])
    for (const progress of ['classic', 'plain']) {
      const { status, stdout, stderr } = await build(context({ Dockerfile: '# check=error=true\nFROM busybox\nCMD x\n' }), `--progress=${progress}`)
      assert.equal(status, 1)
      assert.match(stdout + stderr, /Dockerfile:3: JSONArgsRecommended: [^]*1 warning has been found/)
    }
  })

  it('checks the variables of a stage by its base, and says so when that cannot be had', async () => {
    const path = context({ Dockerfile: 'ARG BASE=busybox\nFROM ${BASE} AS one\nLABEL a=$NOPE b=$PATH\nFROM one\nLABEL c=$NONE\nFROM scratch\nLABEL d=$NIL\n' })
    const found = await build(path, '--check')
    assert.deepEqual([...found.stdout.matchAll(/^Dockerfile:(\d+): UndefinedVar: .*'(.*)'$/gm)].map((match) => `${match[1]} ${match[2]}`), ['3 $NOPE', '5 $NONE', '7 $NIL'])
    // A name of the reserved domain has no registry.
    const absent = await build(path, '--check', '--build-arg', 'BASE=registry.invalid/none:1')
    assert.equal(absent.status, 1)
    assert.match(absent.stdout, /^Dockerfile:7: UndefinedVar: /)
    assert.match(absent.stderr, /registry\.invalid\/none:1: failed to resolve source metadata for registry\.invalid\/none:1: /)
  })

  it('sends secrets, directories and outputs', async () => {
    const more = context({ inside: 'from another directory\n' })
    const path = context({ Dockerfile: 'FROM busybox AS b\nRUN --mount=type=secret,id=s,required --mount=from=more,target=/more cat /run/secrets/s /more/inside > /out\nRUN ln -s /etc/passwd /link && mkdir /sub && echo x > /sub/x\nFROM scratch\nCOPY --from=b /out /link /sub/ /\nCOPY --from=b /sub /sub\n' })
    writeFileSync(join(directory, 'secret'), 'hidden\n')
    const iid = join(directory, 'iid')
    const built = await build(path, '--secret', `id=s,src=${join(directory, 'secret')}`, '--build-context', `more=${more}`, '--iidfile', iid, '-o', join(directory, 'local'), '-o', `type=tar,dest=${join(directory, 'out.tar')}`)
    assert.equal(built.status, 0, built.stderr)
    assert.match(readFileSync(iid, 'utf8'), /^sha256:[0-9a-f]{64}$/)
    assert.equal(readFileSync(join(directory, 'local/out'), 'utf8'), 'hidden\nfrom another directory\n')
    assert.equal(execFileSync('tar', ['-tf', join(directory, 'out.tar')], { encoding: 'utf8' }), 'link\nout\nsub/\nsub/x\nx\n')
    const missing = await build(path, '--build-context', `more=${more}`, '--no-cache')
    assert.match(missing.stderr, /secret s: not found/)
    assert.doesNotMatch(daemon.log(), /hidden/)
  })

  it('takes a Dockerfile from standard input, and one that lies elsewhere', async () => {
    const path = context({ a: 'content\n', 'elsewhere/Dockerfile': 'FROM busybox\nCOPY a /\nRUN cat /a\n', 'elsewhere/Dockerfile.dockerignore': 'b' })
    const args = ['--', join(dist, 'engine.cjs'), 'build', '--progress=classic', '--network', 'none', '-f', '-', path]
    const ended = await run(join(dist, 'bin/node'), args, { env: { ENGINE_HOST: daemon.host }, input: 'FROM busybox\nCOPY a /\nRUN cat /a; ls -A /\n' })
    assert.match(ended.stdout, /\ncontent\n/)
    assert.match((await build(path, '-f', join(path, 'elsewhere/Dockerfile'))).stdout, /\ncontent\n/)
  })

  it('makes the same image twice when it is to be reproducible, and finds what is not', async () => {
    const dockerfile = 'FROM busybox\nCOPY . /app\nRUN echo x > /made && mkdir /dir && touch /dir/y\nWORKDIR /w\n'
    const ids: string[] = []
    for (const time of [1_000_000_000, 1_700_000_000]) {
      const path = context({ Dockerfile: dockerfile, f: 'same' })
      for (const name of ['f', 'Dockerfile', '.']) utimesSync(join(path, name), time, time)
      const iid = join(directory, `iid-${time}`)
      const built = await build(path, '--reproducible', '--no-cache', '--iidfile', iid)
      assert.equal(built.status, 0, built.stderr)
      ids.push(readFileSync(iid, 'utf8'))
    }
    assert.equal(ids[0], ids[1])
    const { stdout } = await engine(daemon.host, 'inspect', '-f', '{{.Created}}', ids[0] ?? '')
    assert.match(stdout, /^1970-01-01T00:00:00/)
    assert.equal((await build(context({ Dockerfile: dockerfile }), '--reproducible', '--verify')).status, 0)
    const differs = await build(context({ Dockerfile: 'FROM busybox\nRUN true\nRUN mkdir /d && hostname > /d/host\n' }), '--reproducible', '--verify')
    assert.equal(differs.status, 1)
    assert.match(differs.stderr, /not reproducible: \/d\/host differs, which was made by: .*hostname/)
  })

  it('prunes the cache, as the docker command does', async () => {
    await build(context({ Dockerfile: 'FROM busybox\nRUN head -c 5000 /dev/zero > /zeros\n' }))
    const prune = ['builder', 'prune', '-f'] as const
    const pruned = await (dockerMissing === false ? docker : engine)(daemon.host, ...prune)
    assert.match(pruned.stdout, /Deleted build cache objects:\n([0-9a-f]{64}-\d+\n)*[0-9a-f]{64}\n/)
    assert.match(await engineOk(daemon.host, 'builder', 'prune', '-af'), /^(Deleted build cache objects:\n[^]*)?Total reclaimed space: /)
    assert.match(await engineOk(daemon.host, 'builder', 'prune', '-af'), /^Total reclaimed space: 0B\n$/)
  })

  it('sends only what has changed since the last build, and builds what is there now', async () => {
    const path = context({ Dockerfile: 'FROM busybox\nCOPY . /app\nRUN cd /app && find . -type f | sort | xargs md5sum && ls -l\n', '.dockerignore': 'Dockerfile\n.dockerignore\n', big: 'x'.repeat(3_000_000), 'sub/a': 'a', b: 'b', c: 'c' })
    const sent = (output: string): number => Number(/Sending build context to engine daemon {2}([\d.]+)MB/.exec(output)?.[1] ?? 0)
    /** What the step saw, as the host has it. */
    const check = (output: string): void => {
      const files = execFileSync('sh', ['-c', 'find . -type f ! -name Dockerfile ! -name .dockerignore | sort | xargs md5sum'], { cwd: path, encoding: 'utf8' })
      assert.ok(output.includes(files), output)
    }
    const first = (await build(path)).stdout
    assert.ok(sent(first) > 2.9)
    check(first)
    assert.match((await build(path)).stdout, /Sending build context to engine daemon {2}[\d.]+kB\n[^]*Using cache\n[^]*Using cache\n/)
    const same = { atime: new Date(), mtime: statSync(join(path, 'b')).mtime }
    writeFileSync(join(path, 'b'), 'B')
    utimesSync(join(path, 'b'), same.atime, same.mtime)
    rmSync(join(path, 'sub'), { recursive: true })
    writeFileSync(join(path, 'sub'), 'a file now')
    rmSync(join(path, 'c'))
    mkdirSync(join(path, 'c'))
    writeFileSync(join(path, 'c/inside'), 'new')
    const changed = (await build(path)).stdout
    assert.equal(sent(changed), 0)
    check(changed)
    chmodSync(join(path, 'b'), 0o711)
    assert.match((await build(path)).stdout, /-rwx--x--x .* b\n/)
    // Two at once from one directory do not meet.
    const both = await Promise.all([build(path, '--no-cache'), build(path, '--no-cache')])
    for (const { stdout } of both) check(stdout)
  })

  it('refuses paths of a context that lead outside', async () => {
    const key = 'a'.repeat(64)
    for (const wrong of ['../x', '/etc/passwd', 'a//b', 'a/./b', '', 'a/../../b', 'a\u0000b']) {
      const { status } = await daemon.api('POST', '/build/contexts', { Key: key, Entries: [[wrong, 'f', 't']] })
      assert.equal(status, 400, JSON.stringify(wrong))
    }
    assert.equal((await daemon.api('POST', '/build/contexts', { Key: '../../x', Entries: [] })).status, 400)
    // A link of the client's, and then a file below it that is to be removed.
    const outside = join(directory, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'victim'), 'here')
    const path = context({ Dockerfile: 'FROM busybox\nCOPY . /x\n', 'd/victim': 'mine' })
    await build(path)
    rmSync(join(path, 'd'), { recursive: true })
    symlinkSync(outside, join(path, 'd'))
    assert.equal((await build(path)).status, 0)
    assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'here')
  })

  it('leaves nothing when the client is killed', async () => {
    const path = context({ Dockerfile: 'FROM busybox\nRUN sleep 100\n' })
    const building = run('timeout', ['-s', 'INT', '3', join(dist, 'bin/node'), '--', join(dist, 'engine.cjs'), 'build', '--network', 'none', path], { env: { ENGINE_HOST: daemon.host } })
    await building
    for (let i = 0; i < 200; i++) {
      const { body } = await daemon.api('GET', '/containers/json?all=1')
      if (Array.isArray(body) && body.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.fail('the step’s container is still there')
  })

  it('leaves no file of a build that is over', async () => {
    for (let i = 0; i < 200 && statSync(join(daemon.dataRoot, 'builds')).nlink > 2; i++) await new Promise((resolve) => setTimeout(resolve, 50))
    assert.ok(existsSync(join(daemon.dataRoot, 'builds')))
    assert.equal(statSync(join(daemon.dataRoot, 'builds')).nlink, 2)
  })
})
