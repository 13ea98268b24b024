import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { importBusybox } from '../harness/containers.ts'
import { run, type Ended } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'

/** Compose as a plugin of the docker command: where Debian, Docker and the comparison engine put it. */
const plugin = ['/usr/libexec/docker/cli-plugins', '/usr/lib/docker/cli-plugins', '/usr/local/lib/docker/cli-plugins', join(homedir(), '.docker/cli-plugins'), join(process.env['ORACLE'] ?? join(tmpdir(), 'oracle'), 'root/usr/libexec/docker/cli-plugins')]
  .map((directory) => join(directory, 'docker-compose')).find((path) => existsSync(path))

const works = (() => {
  try {
    return plugin !== undefined && /v?2\.\d+|v?[3-9]\./.test(execFileSync(plugin, ['version', '--short'], { encoding: 'utf8' })) && execFileSync('docker', ['--version']).length > 0
  } catch {
    return false
  }
})()

/** A server that is healthy a moment after its start, one that waits for it, and one that waits for both and ends. */
const application = `
services:
  store:
    image: busybox
    command: sh -c "sleep 0.5; mkdir -p /www; echo stored > /www/index.html; httpd -f -p 80 -h /www"
    init: true
    volumes: ["data:/data"]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"]
      interval: 200ms
      timeout: 5s
      retries: 100
  web:
    image: busybox
    command: sh -c "wget -q -O - http://store/ && exec sleep 1000"
    init: true
    depends_on:
      store: { condition: service_healthy }
    environment: { ROLE: web }
    networks: [default, back]
  job:
    image: busybox
    command: sh -c "wget -q -O - http://store/ && exit 0"
    depends_on:
      store: { condition: service_healthy }
      web: { condition: service_started }
networks:
  back:
volumes:
  data:
`

describe('Compose', { skip: works ? false : 'Docker Compose 2 and the docker command are not both installed' }, () => {
  let daemon: TestDaemon
  let directory = ''

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-compose-'))
    mkdirSync(join(directory, 'config/cli-plugins'), { recursive: true })
    symlinkSync(plugin ?? '', join(directory, 'config/cli-plugins/docker-compose'))
    writeFileSync(join(directory, 'compose.yaml'), application)
    daemon = await startDaemon()
    await importBusybox(connect(daemon.host))
  })
  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await daemon?.[Symbol.asyncDispose]()
  })

  const compose = async (...words: readonly string[]): Promise<Ended> => {
    const ended = await run('docker', ['-H', daemon.host, 'compose', '--project-name', 'shop', '--progress', 'plain', ...words], { cwd: directory, env: { DOCKER_CONFIG: join(directory, 'config') } })
    assert.equal(ended.status, 0, `compose ${words.join(' ')}\n${ended.stdout}${ended.stderr}`)
    return ended
  }
  interface Shown { readonly Names: readonly string[]; readonly State: string; readonly Status: string; readonly Labels: Readonly<Record<string, string>> }
  const containers = async (service: string): Promise<Shown[]> => {
    const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.compose.service=${service}`] }))
    return (await daemon.api('GET', `/containers/json?all=1&filters=${filters}`)).body as Shown[]
  }

  it('brings an application up, each service when what it waits for is healthy', async () => {
    await compose('up', '--detach')
    const [store] = await containers('store')
    assert.match(store?.Status ?? '', /\(healthy\)/)
    assert.deepEqual((await containers('web')).map(({ State }) => State), ['running'])
    await compose('wait', 'job').catch(() => undefined)
    const { stdout } = await compose('logs', '--no-log-prefix', 'web')
    assert.match(stdout, /stored/)
    assert.match((await compose('ps', '--all', '--format', '{{.Service}} {{.State}}')).stdout, /store running/)
  })

  it('runs commands in services, and finds them by name', async () => {
    assert.equal((await compose('exec', '-T', 'web', 'sh', '-c', 'echo $ROLE; wget -q -O - http://store/')).stdout, 'web\nstored\n')
  })

  it('scales', async () => {
    await compose('up', '--detach', '--no-recreate', '--scale', 'web=3')
    assert.equal((await containers('web')).filter(({ State }) => State === 'running').length, 3)
    await compose('up', '--detach', '--no-recreate', '--scale', 'web=1')
    assert.equal((await containers('web')).length, 1)
  })

  it('restarts', async () => {
    const before = (await daemon.api('GET', '/containers/shop-web-1/json')).body as { State: { StartedAt: string } }
    await compose('restart', '--timeout', '1', 'web')
    const after_ = (await daemon.api('GET', '/containers/shop-web-1/json')).body as { State: { StartedAt: string; Running: boolean } }
    assert.ok(after_.State.Running && after_.State.StartedAt > before.State.StartedAt)
  })

  it('makes again what has changed, and leaves the rest', async () => {
    const [store] = await containers('store')
    writeFileSync(join(directory, 'compose.yaml'), application.replace('ROLE: web', 'ROLE: changed'))
    await compose('up', '--detach', '--timeout', '1')
    assert.equal((await compose('exec', '-T', 'web', 'sh', '-c', 'echo $ROLE')).stdout, 'changed\n')
    assert.deepEqual((await containers('store')).map(({ Names }) => Names), [store?.Names])
  })

  it('takes everything down', async () => {
    await compose('down', '--volumes', '--timeout', '1')
    assert.deepEqual((await daemon.api('GET', '/containers/json?all=1')).body, [])
    assert.deepEqual(((await daemon.api('GET', '/networks')).body as { Name: string }[]).map(({ Name }) => Name).sort(), ['bridge', 'host', 'none'])
    assert.deepEqual(((await daemon.api('GET', '/volumes')).body as { Volumes: unknown[] | null }).Volumes ?? [], [])
  })
})
