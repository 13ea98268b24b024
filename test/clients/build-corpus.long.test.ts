import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { docker, engine, engineOk, run } from '../harness/command-line.ts'
import { addBases, copyProject } from '../harness/corpus.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { patience } from '../harness/patience.ts'

/** The steps of a classic build's text that were carried out, not taken from the cache: first lines, without those that only set what the image says. */
function carriedOut(text: string): string[] {
  const steps = text.split(/^Step \d+\/\d+ : /m).slice(1)
  return steps.filter((step) => /^(RUN|COPY|ADD|WORKDIR) /.test(step) && !step.includes('\n ---> Using cache\n')).map((step) => step.split('\n')[0]?.trim() ?? '')
}

describe('Dockerfiles as projects have them', () => {
  let daemon: TestDaemon
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-corpus-'))
    daemon = await startDaemon()
    await addBases(daemon)
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  const ok = (...args: readonly string[]): Promise<string> => engineOk(daemon.host, ...args)
  const dockerOk = async (...args: readonly string[]): Promise<string> => {
    const ended = await docker(daemon.host, ...args)
    assert.equal(ended.status, 0, `docker ${args.join(' ')}: ${ended.stdout}${ended.stderr}`)
    return ended.stdout
  }

  /** Builds by engine, again from the cache alone, and by the docker command from nothing; both images are left as `NAME` and `NAME:docker`. */
  async function buildThrice(name: string, context: string, ...flags: readonly string[]): Promise<{ readonly first: string; readonly byDocker: string }> {
    const first = await ok('build', '--progress', 'classic', '-t', name, ...flags, context)
    const id = await ok('inspect', '-f', '{{.Id}}', name)
    // Neither times nor what .dockerignore leaves out count.
    utimesSync(join(context, 'Dockerfile'), 1, 1)
    const again = await ok('build', '--progress', 'classic', '--expect-cached', '-t', name, ...flags, context)
    assert.doesNotMatch(again, /Running in/)
    assert.deepEqual(carriedOut(again), [])
    assert.equal(await ok('inspect', '-f', '{{.Id}}', name), id)
    // The classic builder's command sends no secrets.
    const known = flags.filter((flag, index) => flag !== '--secret' && flags[index - 1] !== '--secret')
    const byDocker = await dockerOk('build', '--no-cache', '-t', `${name}:docker`, ...known, context)
    assert.match(byDocker, new RegExp(`^Successfully tagged ${name}:docker$`, 'm'))
    return { first, byDocker }
  }

  /** Builds after a change, and says what was carried out and why. */
  async function rebuild(context: string, ...flags: readonly string[]): Promise<{ readonly steps: string[]; readonly why: string[]; readonly text: string }> {
    const text = await ok('build', '--progress', 'classic', '--why', ...flags, context)
    return { steps: carriedOut(text), why: [...text.matchAll(/^ ---> Not cached: (.*)$/gm)].map((match) => match[1] ?? ''), text }
  }

  it('a TypeScript service in stages', async () => {
    const context = copyProject('typescript', directory)
    for (const name of ['server.log', '.env']) writeFileSync(join(context, name), 'not to be sent')
    const { first } = await buildThrice('corpus-typescript', context, '--build-arg', 'VERSION=2.1.0')
    assert.match(first, /3 tests passed/)
    assert.match(await ok('build', '--check', context), /no warnings found/)
    for (const image of ['corpus-typescript', 'corpus-typescript:docker']) {
      assert.equal(await ok('run', '--rm', image, 'version'), '{"name":"tally","version":"2.1.0","arch":"amd64"}\n')
      assert.equal(await dockerOk('run', '--rm', image, 'count', 'a b a'), 'a 2\nb 1\n')
      assert.equal(await ok('run', '--rm', '--entrypoint', 'sh', image, '-c', 'id -u; cat report.txt checked; stat -c "%a %u" dist/main.js; ls -A'), '1000\n3 tests passed\ntypes are right\n644 1000\nchecked\ndist\nreport.txt\n')
    }
    await ok('run', '-d', '--name', 'tally', 'corpus-typescript')
    for (let i = 0; i < 300 * patience && (await ok('inspect', '-f', '{{.State.Health.Status}}', 'tally')) !== 'healthy\n'; i++) await sleep(100)
    assert.equal(await ok('inspect', '-f', '{{.State.Health.Status}}', 'tally'), 'healthy\n')
    await ok('stop', '-t', '30', 'tally')
    assert.equal(await ok('logs', 'tally'), 'listening\nclosed\n')
    assert.equal(await ok('inspect', '-f', '{{.State.ExitCode}}', 'tally'), '0\n')
    await ok('rm', 'tally')

    // What is no longer needed for the target is not built; what is ignored does not count.
    writeFileSync(join(context, 'another.log'), 'ignored')
    appendFileSync(join(context, 'src/health.ts'), '// changed\n')
    const { steps, why, text } = await rebuild(context, '--build-arg', 'VERSION=2.1.0')
    assert.deepEqual(steps, [
      'COPY --link src ./src', 'RUN tsc --noEmit && echo "types are right" > /checked', 'RUN --mount=type=cache,id=corpus-tsc,target=/var/cache/tsc,sharing=locked <<EOF', 'COPY <<EOF dist/version.json',
      'RUN --network=none node dist/test.js | tee /report.txt', 'COPY --from=compile --chown=1000:1000 --chmod=a+rX,go-w /app/dist ./dist', 'COPY --from=check /checked /app/checked', 'COPY --from=test --chmod=444 /report.txt /app/report.txt',
    ], text)
    assert.ok(why.some((reason) => /src\/health\.ts changed/.test(reason)), why.join('\n'))
    assert.deepEqual(carriedOut(await ok('build', '--progress', 'classic', '--target', 'check', context)), [])
  })

  it('a Python program from a wheel, with a secret and a volume', async () => {
    const context = copyProject('python', directory)
    const canary = `secret-of-the-corpus-${process.pid}`
    writeFileSync(join(directory, 'token'), canary)
    writeFileSync(join(context, 'app/cached.pyc'), 'not to be sent')
    await buildThrice('corpus-app', context, '--secret', `id=token,src=${join(directory, 'token')}`)
    const printed = (length: number): string => `user 10001 in /srv\ntoken of ${length} characters\nfrom the image\n[('b', 2), ('a', 1)]\n`
    assert.equal(await ok('run', '--rm', 'corpus-app'), printed(canary.length))
    assert.equal(await dockerOk('run', '--rm', 'corpus-app:docker'), printed(0))
    assert.equal(await ok('run', '--rm', '--entrypoint', 'sh', 'corpus-app', '-c', 'tally x y x; find . | sort; stat -c %U data; ls -A /tmp; ls -d /wheels /var/cache/pip /run/secrets 2>&1 || true'), [
      "[('x', 2), ('y', 1)]", '.', './app', './app/__init__.py', './app/__main__.py', './data', './data/seed', './licence', 'app',
      ...['/wheels', '/var/cache/pip', '/run/secrets'].map((path) => `ls: cannot access '${path}': No such file or directory`), '',
    ].join('\n'))
    // In no layer, database, log or history.
    const found = await run('grep', ['-rlF', '--', canary, daemon.directory])
    assert.deepEqual([found.status, found.stdout], [1, ''])

    appendFileSync(join(context, 'app/__main__.py'), '# changed\n')
    const app = await rebuild(context, '--secret', `id=token,src=${join(directory, 'token')}`)
    assert.deepEqual(app.steps.map((step) => step.slice(0, 44)), ['COPY --chown=app:app --exclude=*_notes.txt a', 'RUN --mount=type=secret,id=token,env=TOKEN <', 'RUN install -d -o app -g app /srv/data && ec'], app.text)
    assert.ok(app.why.some((reason) => /app\/__main__\.py changed/.test(reason)), app.why.join('\n'))

    appendFileSync(join(context, 'lib/tally/tally/__init__.py'), '\n# changed\n')
    const lib = await rebuild(context)
    assert.deepEqual(lib.steps.filter((step) => /useradd|venv --without-pip/.test(step)), [])
    assert.deepEqual(lib.steps.slice(0, 3).map((step) => step.slice(0, 25)), ['COPY lib/ ./', 'RUN --mount=type=cache,ta', 'RUN --mount=type=bind,fro'], lib.text)
    assert.ok(lib.why.some((reason) => /tally\/tally\/__init__\.py changed/.test(reason)), lib.why.join('\n'))
    assert.ok(lib.why.some((reason) => /tally-1\.2\.3-py3-none-any\.whl changed/.test(reason)), lib.why.join('\n'))
  })

  it('a C program into FROM scratch', async () => {
    const context = copyProject('c', directory)
    writeFileSync(join(context, 'src/left.o'), 'not to be sent')
    const { first, byDocker } = await buildThrice('corpus-c', context)
    assert.match(first, / -o obj\/parse\.o src\/parse\.c/)
    // The cache mount has the objects.
    assert.doesNotMatch(byDocker, / -o obj\/parse\.o/)
    for (const image of ['corpus-c', 'corpus-c:docker']) {
      assert.equal(await ok('run', '--rm', image), '42\n')
      assert.equal(await dockerOk('run', '--rm', image, '(1 + 2) * (10 - 3)'), '21\n')
      const wrong = await engine(daemon.host, 'run', '--rm', image, '1 +')
      assert.deepEqual([wrong.status, wrong.stderr], [1, 'no expression at ""\n'])
    }
    const out = join(directory, 'out')
    await ok('build', '-o', out, context)
    assert.equal((await run(join(out, 'usr/bin/evaluate'), ['2*2'])).stdout, '4\n')
    assert.equal(readFileSync(join(out, 'usr/share/evaluate/examples'), 'utf8'), '1 + 2 * 3\n$HOME is not a variable here\n')
    assert.equal((await run('find', ['.', '-mindepth', '1', '-printf', '%P %m; '], { cwd: out })).stdout.split('; ').toSorted().join('; '), '; usr 555; usr/bin 555; usr/bin/evaluate 555; usr/share 755; usr/share/evaluate 755; usr/share/evaluate/examples 644')

    appendFileSync(join(context, 'src/main.c'), '/* changed */\n')
    const { steps, why, text } = await rebuild(context)
    assert.deepEqual(steps.slice(0, 3).map((step) => step.slice(0, 30)), ['COPY --parents src/*.c include', 'RUN --mount=type=cache,target=', 'RUN ["/out/usr/bin/evaluate", '], text)
    assert.ok(why.some((reason) => /src\/main\.c changed/.test(reason)), why.join('\n'))
    assert.match(text, / -o obj\/main\.o src\/main\.c/)
    assert.doesNotMatch(text, / -o obj\/parse\.o/)
  })

  it('Debian packages by apt, and a service on a base with triggers', async () => {
    const context = copyProject('debian', directory)
    const base = ['-f', join(context, 'base.Dockerfile'), '-t', 'corpus-service-base']
    const first = await ok('build', '--progress', 'classic', ...base, context)
    assert.match(first, /Need to get [\d.]+ [kM]B of archives/)
    assert.deepEqual(carriedOut(await ok('build', '--progress', 'classic', '--expect-cached', ...base, context)), [])
    const again = await dockerOk('build', '--no-cache', ...base, context)
    assert.match(again, /Need to get 0 B\/[\d.]+ [kM]B of archives/)
    assert.match(again, /jq-1\./)
    await buildThrice('corpus-service', context, '--build-arg', 'SERVICE=billing')
    for (const image of ['corpus-service', 'corpus-service:docker']) {
      assert.equal(await ok('run', '--rm', image), '{"name":"billing","port":8080,"level":"info","user":"service"}\n')
      assert.equal(await dockerOk('run', '--rm', '-e', 'LEVEL=debug', image), '{"name":"billing","port":8080,"level":"debug","user":"service"}\n')
      assert.equal(await ok('run', '--rm', '--entrypoint', 'stat', image, '-c', '%a %U', '/opt/service/run.sh', '/etc/service/config.json'), '755 service\n644 root\n')
    }
    writeFileSync(join(context, 'config.json'), '{"name": "none", "port": 9090}\n')
    const { text, why } = await rebuild(context, '--build-arg', 'SERVICE=billing')
    assert.match(text, /# Executing 3 build triggers/)
    assert.deepEqual(why.filter((reason) => /config\.json/.test(reason)).length, 1, text)
    assert.deepEqual(carriedOut(await ok('build', '--progress', 'classic', '--expect-cached', ...base, context)), [])
    writeFileSync(join(context, 'service/run.sh'), '#!/bin/sh\necho "level $1"\n')
    const service = await rebuild(context, '-t', 'corpus-service', '--build-arg', 'SERVICE=billing')
    assert.deepEqual(service.steps, ['COPY --chown=service:service --chmod=u=rwx,go=rx service/ /opt/service/', 'WORKDIR /opt/service'], service.text)
    assert.equal(await ok('run', '--rm', 'corpus-service'), 'level info\n')
  })
})
