import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { engineOk } from '../harness/command-line.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'

describe('engined killed in a build', () => {
  let daemon: TestDaemon
  let directory = ''
  let context = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-build-killed-'))
    context = join(directory, 'context')
    mkdirSync(context)
    for (let i = 0; i < 200; i++) writeFileSync(join(context, `f${i}`), String(i).repeat(2000))
    daemon = await startDaemon()
    writeFileSync(join(directory, 'busybox.tar'), busyboxTar())
    await engineOk(daemon.host, 'import', join(directory, 'busybox.tar'), 'busybox')
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  /** What is on the host of the daemon's builds: mounts, cgroups, directories. */
  function traces(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${daemon.dataRoot}/`))
    const own = new Set(['overlay2', 'builds'].map((name) => join(daemon.dataRoot, name)))
    const groups = readdirSync('/sys/fs/cgroup').map((hierarchy) => join('/sys/fs/cgroup', hierarchy, daemon.cgroupParent)).concat(join('/sys/fs/cgroup', daemon.cgroupParent)).filter((path) => existsSync(path))
      .flatMap((path) => readdirSync(path).filter((name) => /^[0-9a-f]{64}$/.test(name)))
    return [...mounts.filter((path) => !own.has(path)), ...groups, ...readdirSync(join(daemon.dataRoot, 'builds')).map((name) => `builds/${name}`), ...readdirSync(join(daemon.dataRoot, 'containers'))]
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

  const dockerfile = [
    'FROM busybox AS one', 'RUN --mount=type=cache,target=/cache --mount=target=/c,rw --mount=type=secret,id=s echo kept > /cache/file; sleep 100',
    'FROM busybox AS two', 'COPY . /all', 'RUN cp -r /all /more && sleep 101', 'FROM scratch', 'COPY --from=one / /', 'COPY --from=two / /',
  ].join('\n')

  for (const wait of [0, 50, 150, 400, 1000, 2500]) {
    it(`after ${wait} ms leaves no mount, container, process or layer, and builds again`, async () => {
      writeFileSync(join(context, 'Dockerfile'), `${dockerfile}\n`)
      writeFileSync(join(directory, 'secret'), 'hidden')
      const client = spawn(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), 'build', '--no-cache', '--network', 'none', '--secret', `id=s,src=${join(directory, 'secret')}`, context], { env: { ...process.env, ENGINE_HOST: daemon.host }, stdio: 'ignore' })
      const ended = new Promise((resolve) => client.once('exit', resolve))
      // The moments are counted from when the build has begun.
      for (let i = 0; i < 400 && !readdirSync(join(daemon.dataRoot, 'builds')).some((name) => name.startsWith('build-')); i++) await sleep(10)
      await sleep(wait)
      await daemon.stop('SIGKILL')
      await ended
      await daemon.start()
      for (let i = 0; i < 600 && traces().length > 0; i++) await sleep(50)
      assert.deepEqual(traces(), [])
      const { body } = await daemon.api('GET', '/containers/json?all=1')
      assert.deepEqual(body, [])
      assert.deepEqual(await strayLayers(), [])
      writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN --mount=type=cache,target=/cache touch /cache/x\nCOPY . /all\n')
      await engineOk(daemon.host, 'build', '--network', 'none', context)
    })
  }
})
