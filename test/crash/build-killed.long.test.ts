import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { engine, engineOk, run } from '../harness/command-line.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { patience } from '../harness/patience.ts'

/** Stages side by side, caches that both use, a secret in a file and in a variable, copies of every kind, a mount that is written to. */
const dockerfile = [
  'FROM busybox AS one', 'RUN --mount=type=cache,id=shared,target=/cache --mount=type=secret,id=s,target=/run/secrets/s,required echo one > /cache/one && wc -c < /run/secrets/s > /one && sleep 0.2',
  'COPY --chown=5:6 . /files/', 'RUN --mount=target=/c,rw --mount=type=secret,id=s,env=S sh -c "echo more > /c/new; echo ${#S} > /length; cp -r /files /again"',
  'FROM busybox AS two', 'RUN --mount=type=cache,id=shared,target=/cache --mount=type=cache,id=private,target=/private,sharing=private --mount=type=tmpfs,target=/t echo two > /cache/two && touch /private/x && sleep 0.2 && echo two > /two',
  'COPY --link f1 f2 /linked/', 'WORKDIR /deep/er', 'RUN rm -r /linked && mkdir /linked && touch /linked/f3',
  'FROM busybox AS three', 'RUN --mount=type=cache,id=locked,target=/cache,sharing=locked touch /cache/x && sleep 0.1 && echo three > /three',
  'FROM busybox AS four', 'RUN --mount=type=cache,id=locked,target=/cache,sharing=locked --mount=from=three,target=/o cat /o/three > /four',
  'FROM scratch', 'COPY --from=one / /', 'COPY --from=two --link / /two/', 'COPY --from=three /three /three', 'COPY --from=four /four /four', 'CMD ["sh"]', '',
].join('\n')

describe('a build that is killed', () => {
  let daemon: TestDaemon
  let directory = ''
  let context = ''
  /** The image, and how many milliseconds it takes to make. */
  let whole = { id: '', duration: 0 }
  const secret = `secret-of-a-killed-build-${process.pid}`

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-build-killed-'))
    context = join(directory, 'context')
    mkdirSync(context)
    for (let i = 0; i < 200; i++) writeFileSync(join(context, `f${i}`), String(i).repeat(2000))
    writeFileSync(join(context, 'Dockerfile'), dockerfile)
    writeFileSync(join(directory, 'secret'), secret)
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    await engineOk(daemon.host, 'import', join(directory, 'busybox.tar'), 'busybox')
    await build()
    const began = performance.now()
    whole = { id: await build('--no-cache'), duration: performance.now() - began }
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  const options = (): string[] => ['build', '--reproducible', '--network', 'none', '--secret', `id=s,src=${join(directory, 'secret')}`]

  /** Builds to the end. @returns the image's ID */
  async function build(...flags: readonly string[]): Promise<string> {
    await engineOk(daemon.host, ...options(), '--iidfile', join(directory, 'iid'), ...flags, context)
    return readFileSync(join(directory, 'iid'), 'utf8')
  }

  /** Begins a build of everything anew, and goes on when the daemon has begun with it. */
  async function begin(): Promise<{ readonly client: ChildProcess; readonly ended: Promise<number | null> }> {
    const client = spawn(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), ...options(), '--no-cache', context], { env: { ...process.env, ENGINE_HOST: daemon.host }, stdio: 'ignore' })
    const ended = new Promise<number | null>((resolve) => client.once('exit', resolve))
    for (let i = 0; i < 400 * patience && !names('builds').some((name) => name.startsWith('build-')); i++) await sleep(5)
    return { client, ended }
  }

  const names = (directory: string): string[] => readdirSync(join(daemon.dataRoot, directory))
  /** Containers that the shim has files of. */
  const running = (): string[] => (existsSync(join(daemon.execRoot, 'containers')) ? readdirSync(join(daemon.execRoot, 'containers')) : [])

  /** What is on the host of the daemon's builds: mounts, cgroups, directories, processes that a step began. */
  function traces(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${daemon.dataRoot}/`))
    const own = new Set(['overlay2', 'builds'].map((name) => join(daemon.dataRoot, name)))
    const groups = readdirSync('/sys/fs/cgroup').map((hierarchy) => join('/sys/fs/cgroup', hierarchy, daemon.cgroupParent)).concat(join('/sys/fs/cgroup', daemon.cgroupParent)).filter((path) => existsSync(path))
      .flatMap((path) => readdirSync(path).filter((name) => /^[0-9a-f]{64}$/.test(name)))
    return [
      ...mounts.filter((path) => !own.has(path)), ...groups,
      ...names('builds').map((name) => `builds/${name}`), ...names('containers'), ...running().map((name) => `run/${name}`),
    ]
  }

  /** Layers that are no image's. */
  async function strayLayers(): Promise<string[]> {
    const { body } = await daemon.api('GET', '/images/json?all=1')
    const known = new Set<string>()
    for (const { Id } of body as { Id: string }[]) {
      const inspected = (await daemon.api('GET', `/images/${Id}/json`)).body as { GraphDriver: { Data: Record<string, string> | null } }
      for (const value of Object.values(inspected.GraphDriver.Data ?? {})) for (const path of value.split(':')) known.add(path.split('/overlay2/')[1]?.split('/')[0] ?? '')
    }
    return readdirSync(join(daemon.dataRoot, 'overlay2')).filter((name) => /^[0-9a-f]{64}$/.test(name) && !known.has(name))
  }

  /** Nothing is left of what was killed, the secret is nowhere, and the next build makes what it should. */
  async function isWell(): Promise<void> {
    for (let i = 0; i < 600 * patience && traces().length > 0; i++) await sleep(50)
    assert.deepEqual(traces(), [])
    assert.deepEqual((await daemon.api('GET', '/containers/json?all=1')).body, [])
    assert.deepEqual(await strayLayers(), [])
    const found = await run('grep', ['-rlF', '--', secret, daemon.directory])
    assert.equal(found.stdout, '')
    assert.equal(await build(), whole.id)
    const listed = await engineOk(daemon.host, 'run', '--rm', '--network', 'none', whole.id, 'sh', '-c', 'cat /one /length /two/two /three /four; ls /again | wc -l; ls /two/linked')
    assert.equal(listed, `${secret.length}\n${secret.length}\ntwo\nthree\nthree\n201\nf3\n`)
  }

  /** Moments of a build, as parts of the time that it takes; the first are the busiest. */
  const moments = [0, 0.02, 0.05, 0.1, 0.17, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]

  for (const part of moments) {
    it(`with engined, after ${part * 100} % of its time`, async () => {
      const { ended } = await begin()
      await sleep(part * whole.duration)
      await daemon.stop('SIGKILL')
      const status = await ended
      assert.ok(part > 0.5 || status !== 0, 'the build was over')
      await daemon.start()
      await isWell()
    })
  }

  for (const part of moments.filter((_, index) => index % 2 === 0)) {
    it(`with its client, after ${part * 100} % of its time`, async () => {
      const { client, ended } = await begin()
      await sleep(part * whole.duration)
      client.kill('SIGKILL')
      const status = await ended
      assert.ok(part > 0.5 || status === null, 'the build was over')
      await isWell()
    })
  }

  it('with the process of each of its steps', async () => {
    let broken = 0
    const steps = dockerfile.split('\n').filter((line) => line.startsWith('RUN ')).length
    for (let victim = 0; victim < steps; victim++) {
      const { ended } = await begin()
      const seen = new Set<string>()
      for (let killed = false; !killed && names('builds').length > 0; await sleep(2)) {
        for (const name of running()) {
          const pid = seen.has(name) ? undefined : await pidOf(name)
          if (pid === undefined) continue
          seen.add(name)
          if (seen.size <= victim) continue
          try {
            process.kill(pid, 'SIGKILL')
            killed = true
          } catch {
            // It was quicker.
          }
          break
        }
      }
      if ((await ended) === 137) broken++
      await isWell()
    }
    // One or the other was over before it was killed.
    assert.ok(broken > steps / 2, `${broken} of ${steps}`)
  })

  async function pidOf(container: string): Promise<number | undefined> {
    const { status, body } = await daemon.api('GET', `/containers/${container}/json`)
    const pid = status === 200 ? (body as { State: { Pid: number } }).State.Pid : 0
    return pid > 0 ? pid : undefined
  }

  it('with engined, again and again', async () => {
    for (let round = 0; round < 4; round++) {
      const { ended } = await begin()
      await sleep((0.2 + round * 0.15) * whole.duration)
      await daemon.stop('SIGKILL')
      await ended
      await daemon.start()
    }
    await isWell()
    const pruned = await engine(daemon.host, 'builder', 'prune', '-af')
    assert.equal(pruned.status, 0, pruned.stderr)
    assert.deepEqual(names('build-cache'), [])
  })
})
