import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { docker, engine, engineOk, run } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { dockerMissing } from '../harness/docker-command.ts'
import { debianTar } from '../harness/images.ts'

/** The case that articles about containers go through: a Debian base, a five-step build, containers seen from the host. */
describe('the article case', () => {
  let daemon: TestDaemon
  let context = ''

  before(async () => {
    const tar = debianTar()
    daemon = await startDaemon()
    await engineOk(daemon.host, 'import', tar, 'debian:base')
    context = mkdtempSync(join(tmpdir(), 'engine-article-'))
    writeFileSync(join(context, 'Dockerfile'), 'FROM debian:base\nRUN apt update\nCOPY sample.txt .\nADD sample2.txt .\nCMD ["ls", "/"]\n')
    writeFileSync(join(context, 'sample.txt'), 'one\n')
    writeFileSync(join(context, 'sample2.txt'), 'two\n')
  })

  after(async () => {
    rmSync(context, { recursive: true, force: true })
    await daemon?.[Symbol.asyncDispose]()
  })

  const inspect = async (ref: string): Promise<unknown> => {
    const answer: unknown = JSON.parse(await engineOk(daemon.host, 'inspect', ref))
    assert.ok(Array.isArray(answer) && answer.length === 1)
    return answer[0]
  }
  const value = (object: unknown, path: string): unknown => path.split('.').reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined), object)
  const text = (object: unknown, path: string): string => {
    const found = value(object, path)
    assert.ok(typeof found === 'string', path)
    return found
  }

  it('builds five steps, RUN apt update through the container\'s own network', async () => {
    const output = await engineOk(daemon.host, 'build', '--progress', 'classic', '-t', 'article', context)
    assert.match(output, /^Step 1\/5 : FROM debian:base$/m)
    assert.match(output, /^ ---> [0-9a-f]{12}$/m)
    assert.match(output, /^Step 2\/5 : RUN apt update$/m)
    assert.match(output, /^ ---> Running in [0-9a-f]{12}$/m)
    assert.match(output, /(Get|Hit):1 http.*\nGet:2 /)
    assert.match(output, /^Step 5\/5 : CMD \["ls", "\/"\]$/m)
    assert.match(output, /^Successfully built [0-9a-f]{12}$/m)
    assert.match(output, /^Successfully tagged article:latest$/m)
  })

  it('takes every step from the cache the second time', async () => {
    const output = await engineOk(daemon.host, 'build', '--progress', 'classic', '-t', 'article', context)
    assert.equal(output.match(/^ ---> Using cache$/gm)?.length, 4)
    assert.doesNotMatch(output, /Running in/)
  })

  it('shows the layers as directories of the host', async () => {
    const image = await inspect('article')
    assert.equal(text(image, 'GraphDriver.Name'), 'overlay2')
    const data = value(image, 'GraphDriver.Data')
    for (const key of ['LowerDir', 'UpperDir', 'MergedDir', 'WorkDir']) assert.ok(text(data, key).startsWith(daemon.dataRoot), key)
    // Topmost first: sample2.txt, then sample.txt, apt's lists, the base.
    const layers = [text(data, 'UpperDir'), ...text(data, 'LowerDir').split(':')]
    assert.equal(layers.length, 4)
    assert.deepEqual(readdirSync(layers[0] ?? ''), ['sample2.txt'])
    assert.deepEqual(readdirSync(layers[1] ?? ''), ['sample.txt'])
    assert.ok(readdirSync(layers[3] ?? '').includes('bin'))
  })

  it('runs what the image says', async () => {
    const output = await engineOk(daemon.host, 'run', '--rm', 'article')
    assert.ok(output.split('\n').includes('sample.txt') && output.split('\n').includes('etc'), output)
  })

  it('runs an ordinary process of the host that is PID 1 inside', async () => {
    const id = (await engineOk(daemon.host, 'run', '-d', '-it', '--name', 'tail', 'debian:base', 'tail', '-f', '/dev/null')).trim()
    assert.match((await run('ps', ['aux'])).stdout, /\btail -f \/dev\/null$/m)
    const pid = Number(value(await inspect('tail'), 'State.Pid'))
    assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'tail\0-f\0/dev/null\0')
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^NSpid:\t\d+\t1$/m)
    for (const type of ['mnt', 'uts', 'net', 'pid', 'ipc', 'cgroup']) assert.notEqual(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(`/proc/self/ns/${type}`), type)
    assert.ok(readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id))
    const inside = await engineOk(daemon.host, 'exec', 'tail', 'sh', '-c', 'hostname; readlink /proc/1/exe; cat /proc/1/cmdline | tr "\\0" " "; ls /sys/class/net')
    assert.match(inside, new RegExp(`^${id.slice(0, 12)}\n/usr/bin/tail\ntail -f /dev/null eth0\nlo\n$`))
  })

  it('keeps two containers of one image apart; what one writes is in its upper directory', async () => {
    await engineOk(daemon.host, 'run', '-d', '--name', 'other', 'debian:base', 'sleep', '1000')
    await engineOk(daemon.host, 'exec', 'other', 'sh', '-c', 'echo mine > /only-here')
    assert.notEqual((await engine(daemon.host, 'exec', 'tail', 'cat', '/only-here')).status, 0)
    assert.equal(readFileSync(join(text(await inspect('other'), 'GraphDriver.Data.UpperDir'), 'only-here'), 'utf8'), 'mine\n')
    assert.ok(readdirSync(text(await inspect('other'), 'GraphDriver.Data.MergedDir')).includes('only-here'))
    await engineOk(daemon.host, 'rm', '-f', 'tail', 'other')
  })

  it('limits memory, processor and processes, and says when memory was the end', async () => {
    const id = (await engineOk(daemon.host, 'run', '-d', '-m', '64m', '--cpus', '0.5', '--pids-limit', '50', '--name', 'limited', 'debian:base', 'sleep', '1000')).trim()
    const unified = / \/sys\/fs\/cgroup .* - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8'))
    const limit = (controller: string, v1: string, v2: string): string =>
      readFileSync(unified ? `/sys/fs/cgroup${daemon.cgroupParent}/${id}/${v2}` : `/sys/fs/cgroup/${controller}${daemon.cgroupParent}/${id}/${v1}`, 'utf8').trim()
    assert.equal(limit('memory', 'memory.limit_in_bytes', 'memory.max'), '67108864')
    assert.equal(limit('pids', 'pids.max', 'pids.max'), '50')
    assert.equal(limit('cpu', 'cpu.cfs_quota_us', 'cpu.max'), unified ? '50000 100000' : '50000')
    await engineOk(daemon.host, 'rm', '-f', 'limited')
    const killed = await engine(daemon.host, 'run', '-m', '64m', '--memory-swap', '64m', '--name', 'eater', 'debian:base', 'sh', '-c', 'exec perl -e "\\$x = q(x) x 200000000; sleep 1"')
    assert.equal(killed.status, 137, killed.stderr)
    const state = value(await inspect('eater'), 'State')
    assert.equal(value(state, 'OOMKilled'), true)
    assert.equal(value(state, 'ExitCode'), 137)
    await engineOk(daemon.host, 'rm', 'eater')
    const forks = await engine(daemon.host, 'run', '--rm', '--pids-limit', '20', 'debian:base', 'sh', '-c', 'for i in $(seq 40); do sleep 3 & done; wait')
    assert.match(forks.stderr, /Cannot fork|Resource temporarily unavailable/)
  })

  it('does the same for curl', async () => {
    const curl = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> => {
      const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)]
      const ended = await run('curl', ['-sS', '-X', method, '-w', '\n%{http_code}', '--unix-socket', daemon.socket, ...data, `http://localhost/v1.51${path}`])
      const lines = ended.stdout.split('\n')
      const status = Number(lines.pop())
      const content = lines.join('\n')
      return { status, body: content.startsWith('{') || content.startsWith('[') ? JSON.parse(content) : content }
    }
    const created = await curl('POST', '/containers/create?name=curled', { Image: 'debian:base', Cmd: ['echo', 'from curl'] })
    assert.equal(created.status, 201)
    const id = text(created.body, 'Id')
    assert.equal((await curl('POST', `/containers/${id}/start`)).status, 204)
    assert.deepEqual((await curl('POST', `/containers/${id}/wait`)).body, { StatusCode: 0 })
    assert.match(String((await curl('GET', `/containers/${id}/logs?stdout=1`)).body), /from curl/)
    assert.equal((await curl('DELETE', `/containers/${id}`)).status, 204)
    assert.deepEqual(await curl('GET', `/containers/${id}/json`), { status: 404, body: { message: `No such container: ${id}` } })
  })

  it('does the same for the docker command', { skip: dockerMissing }, async () => {
    const ok = async (...args: readonly string[]): Promise<string> => {
      const ended = await docker(daemon.host, ...args)
      assert.equal(ended.status, 0, `docker ${args.join(' ')}: ${ended.stderr}`)
      return ended.stdout
    }
    assert.match(await ok('version'), /Server:[\s\S]*API version:\s+1\.51/)
    assert.equal(await ok('run', '--rm', 'debian:base', 'echo', 'hello'), 'hello\n')
    const id = (await ok('run', '-d', '--name', 'dockered', 'debian:base', 'sh', '-c', 'echo started; exec sleep 1000')).trim()
    assert.match(await ok('ps'), new RegExp(`${id.slice(0, 12)}.*debian:base.*Up .*dockered`))
    assert.equal(await ok('logs', 'dockered'), 'started\n')
    assert.equal(await ok('exec', 'dockered', 'cat', '/proc/1/comm'), 'sleep\n')
    assert.equal((await docker(daemon.host, 'exec', 'dockered', 'sh', '-c', 'exit 9')).status, 9)
    assert.equal(await ok('rm', '-f', 'dockered'), 'dockered\n')
    assert.equal((await docker(daemon.host, 'run', '--rm', 'debian:base', 'no-such-program')).status, 127)
    return undefined
  })
})
