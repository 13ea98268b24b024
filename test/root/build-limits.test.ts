import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupLayout, type Controller } from '@engine/runtime'
import { build, post, tarOf } from '../harness/build.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { busyboxTar } from '../harness/images.ts'
import { patience } from '../harness/patience.ts'

let daemon: TestDaemon
before(async () => {
  daemon = await startDaemon()
  assert.equal((await post(daemon, '/images/create?fromSrc=-&repo=base', busyboxTar())).status, 200)
})
after(async () => daemon[Symbol.asyncDispose]())

interface Listed {
  readonly Id: string
}

/** The host's pid of the process of a step that is running. */
async function stepPid(): Promise<number> {
  for (let i = 0; i < 400 * patience; i++) {
    const [listed] = (await daemon.api('GET', '/containers/json')).body as Listed[]
    const inspected = listed === undefined ? undefined : (await daemon.api('GET', `/containers/${listed.Id}/json`)).body as { State?: { Pid: number } }
    const pid = inspected?.State?.Pid ?? 0
    // Until the command is the step's, limits are still being set.
    if (pid > 0 && existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes('sleep 1000')) return pid
    await sleep(50)
  }
  throw new Error(`no step runs: ${daemon.log().slice(-2000)}`)
}

/** The cgroup of a process in a controller's hierarchy, as the kernel names it from the host. */
function cgroupOf(pid: number, controller: Controller): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])
  const found = lines.find(([, names = '']) => names.split(',').includes(controller)) ?? lines.find(([, names]) => names === '')
  return found?.[2] ?? ''
}

/** What the kernel has in a control file of a process's cgroup: its name on v1, and on v2. */
function control(pid: number, controller: Controller, v1: string, v2: string): string {
  const place = cgroupLayout().place(controller, cgroupOf(pid, controller))
  assert.ok(place !== undefined, `no controller ${controller}`)
  return readFileSync(`${place.directory}/${place.version === 1 ? v1 : v2}`, 'utf8').trim()
}

describe('the limits of a build', () => {
  test('are the kernel’s for what RUN runs', async () => {
    const parent = `${daemon.cgroupParent}/of-builds`
    const ulimits = encodeURIComponent(JSON.stringify([{ Name: 'nofile', Soft: 60, Hard: 70 }]))
    const query = `memory=67108864&memswap=134217728&cpushares=512&cpuperiod=50000&cpuquota=20000&cpusetcpus=0&cpusetmems=0&shmsize=8388608&cgroupparent=${parent}&extrahosts=other:1.2.3.4&ulimits=${ulimits}&networkmode=none&forcerm=1`
    const going = build(daemon, 'FROM base\nRUN echo begun; sleep 1000', {}, query)
    const pid = await stepPid()
    assert.match(cgroupOf(pid, 'memory'), new RegExp(`^${parent}/[0-9a-f]{64}$`))
    assert.equal(control(pid, 'memory', 'memory.limit_in_bytes', 'memory.max'), String(64 << 20))
    const version1 = cgroupLayout().place('memory', '')?.version === 1
    // Where the kernel counts no swap on v1 there is no such file.
    if (!version1 || existsSync(`${cgroupLayout().place('memory', cgroupOf(pid, 'memory'))?.directory}/memory.memsw.limit_in_bytes`)) {
      assert.equal(control(pid, 'memory', 'memory.memsw.limit_in_bytes', 'memory.swap.max'), String(version1 ? 128 << 20 : 64 << 20))
    }
    if (version1) assert.deepEqual([control(pid, 'cpu', 'cpu.shares', ''), control(pid, 'cpu', 'cpu.cfs_quota_us', '')], ['512', '20000'])
    else assert.equal(control(pid, 'cpu', '', 'cpu.max'), '20000 50000')
    assert.deepEqual([control(pid, 'cpuset', 'cpuset.cpus', 'cpuset.cpus'), control(pid, 'cpuset', 'cpuset.mems', 'cpuset.mems')], ['0', '0'])
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max open files\s+60\s+70\s/m)
    assert.match(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), / \/dev\/shm .* tmpfs .*size=8192k/)
    assert.match(readFileSync(`/proc/${pid}/root/etc/hosts`, 'utf8'), /^1\.2\.3\.4\s+other$/m)
    process.kill(pid, 'SIGKILL')
    const { error, text } = await going
    assert.match(text, /begun/)
    assert.equal(error?.code, 137)
  })

  test('that cannot be are refused in Docker’s words', async () => {
    const status = async (query: string): Promise<[number, string]> => {
      const { status, text } = await post(daemon, `/build?${query}`, tarOf({ Dockerfile: 'FROM base' }))
      return [status, (JSON.parse(text) as { message: string }).message]
    }
    assert.deepEqual(await status('securityopt=label:x'), [400, 'security options are not supported on linux'])
    assert.deepEqual(await status('isolation=hyperv'), [400, 'unsupported isolation: "hyperv"'])
    assert.deepEqual(await status('ulimits=zz'), [400, "error reading ulimit settings: invalid character 'z' looking for beginning of value"])
    const cases: [string, string][] = [
      ['cpusetcpus=4000', 'Requested CPUs are not available - requested 4000, available: '], ['cpusetmems=x', 'Invalid value x for cpuset mems: invalid format: x'],
      ['memory=10', 'Minimum memory limit allowed is 6MB'], ['memory=10000000&memswap=100', 'Minimum memoryswap limit should be larger than memory limit, see usage'],
      ['extrahosts=foo', 'bad format for add-host: "foo"'], ['shmsize=-1', 'SHM size can not be less than 0'], ['cpuquota=10', 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    ]
    for (const [query, message] of cases) {
      const { error } = await build(daemon, 'FROM base\nRUN true', {}, `nocache=1&forcerm=1&${query}`)
      assert.ok(error?.message.startsWith(message), `${query}: ${error?.message}`)
    }
    assert.deepEqual((await daemon.api('GET', '/containers/json?all=1')).body, [])
  })
})

describe('a squashed build', () => {
  test('has one layer above its base, with the same files', async () => {
    const dockerfile = [
      'FROM base AS low', 'RUN mkdir -p /d/kept && echo old > /d/old && echo 1 > /d/kept/a && mkdir /turned && echo x > /turned/x && echo f > /plain', 'RUN echo low > /etc/low',
      'FROM low', 'RUN echo big > /big && rm -r /d/old /etc/low && chmod 700 /d/kept', 'RUN rm -r /turned && echo file > /turned && rm /plain && mkdir /plain && echo in > /plain/in',
      'RUN rm /big && ln /turned /linked && ln -s nowhere /symbolic && mkfifo /fifo && chown 5:6 /fifo && rm -r /d/kept && mkdir /d/kept && echo 2 > /d/kept/b', 'CMD ["squashed"]',
    ].join('\n')
    const plain = await build(daemon, dockerfile)
    const squashed = await build(daemon, dockerfile, {}, 'squash=1')
    assert.equal(squashed.error, undefined)
    assert.notEqual(squashed.id, plain.id)
    const inspect = async (id: string) => (await daemon.api('GET', `/images/${id}/json`)).body as { RootFS: { Layers: string[] }; Config: { Cmd: string[] } }
    const [before, after] = [await inspect(plain.id), await inspect(squashed.id)]
    assert.deepEqual(after.RootFS.Layers.slice(0, -1), before.RootFS.Layers.slice(0, 3))
    assert.equal(after.RootFS.Layers.length, 4)
    assert.deepEqual(after.Config, before.Config)
    const tree = (id: string): string => execFileSync('tar', ['-tvf', '-', '--full-time', '--numeric-owner'], { input: execFileSync('curl', ['-s', '--unix-socket', daemon.socket, `http://d/build/files/${id}`], { maxBuffer: 1 << 26 }), encoding: 'utf8', maxBuffer: 1 << 26 }).split('\n').toSorted().join('\n')
    assert.equal(tree(squashed.id), tree(plain.id))
    const history = (await daemon.api('GET', `/images/${squashed.id}/history`)).body as { Comment: string; Size: number; CreatedBy: string }[]
    assert.equal(history[0]?.Comment.startsWith(`merge ${plain.id} to sha256:`), true)
    assert.deepEqual(history.slice(1, 5).map(({ Size }) => Size), [0, 0, 0, 0])
    // What came and went is nowhere any more.
    const top = after.RootFS.Layers.at(-1)?.replace('sha256:', '') ?? ''
    assert.ok(top.length === 64)
  })

  test('from nothing, or without a layer of its own, is right as well', async () => {
    const scratch = await build(daemon, 'FROM scratch\nCOPY a /a\nCOPY b /b', { a: '1', b: '2' }, 'squash=1')
    const layers = async (id: string) => ((await daemon.api('GET', `/images/${id}/json`)).body as { RootFS: { Layers: string[] } }).RootFS.Layers
    assert.equal((await layers(scratch.id)).length, 1)
    const config = await build(daemon, 'FROM base\nENV A=b', {}, 'squash=1')
    assert.equal((await layers(config.id)).length, 1)
    assert.equal((await build(daemon, 'FROM base\nENV A=b')).id, config.id)
  })
})
