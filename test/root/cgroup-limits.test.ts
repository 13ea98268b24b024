import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { patience } from '../harness/patience.ts'
import {
  cgroupLayout,
  cgroupVersion,
  createCgroup,
  defaultDeviceRules,
  freeze,
  isFrozen,
  joinTargets,
  killCgroup,
  oomKills,
  pids,
  removeCgroup,
  stats,
  thaw,
  updateCgroup,
  watchOom,
  type Controller,
} from '@engine/runtime'

const parent = `/engine-test-${process.pid}`
let number = 0
let path = ''

/** A program that moves itself into the cgroup as a container's does, then runs a shell script. */
function inside(script: string): ChildProcess {
  return spawn('/bin/sh', ['-c', `for target in "$@"; do echo 0 > "$target"; done; ${script}`, 'sh', ...joinTargets(path)], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function exitOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: string | null; readonly output: string }> {
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode, output }
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000 * patience; !condition(); ) {
    assert.ok(performance.now() < deadline, 'it did not come to pass in time')
    await sleep(5)
  }
}

/** A control file's content, by v1's or v2's name. */
function control(controller: Controller, v1: string, v2: string): string {
  const place = cgroupLayout().place(controller, path)
  assert.ok(place !== undefined)
  return readFileSync(`${place.directory}/${place.version === 1 ? v1 : v2}`, 'utf8').trim()
}

function groups(): string[] {
  return cgroupLayout().directories(path).filter(existsSync)
}

describe('a cgroup', () => {
  before(() => void createCgroup(parent, {}))
  after(() => removeCgroup(parent))
  beforeEach(() => (path = `${parent}/${number++}`))
  afterEach(() => removeCgroup(path))

  it('is made in every hierarchy, again without harm, and removed, again without harm', async () => {
    createCgroup(path, {})
    createCgroup(path, {})
    assert.equal(groups().length, cgroupLayout().hierarchies.length)
    await removeCgroup(path)
    await removeCgroup(path)
    assert.deepEqual(groups(), [])
  })

  it('has its limits', () => {
    const warnings = createCgroup(path, { memory: { limit: 64 << 20, swap: 96 << 20 }, cpu: { quota: 50_000, period: 100_000, shares: 512, cpus: '0' }, pids: { limit: 9 } })
    assert.deepEqual(warnings, [])
    assert.equal(control('memory', 'memory.limit_in_bytes', 'memory.max'), String(64 << 20))
    assert.equal(control('memory', 'memory.memsw.limit_in_bytes', 'memory.swap.max'), String((cgroupVersion() === 1 ? 96 : 32) << 20))
    assert.equal(control('cpu', 'cpu.shares', 'cpu.weight'), cgroupVersion() === 1 ? '512' : '59')
    assert.equal(control('cpu', 'cpu.cfs_quota_us', 'cpu.max'), cgroupVersion() === 1 ? '50000' : '50000 100000')
    assert.equal(control('cpuset', 'cpuset.cpus', 'cpuset.cpus'), '0')
    assert.equal(control('pids', 'pids.max', 'pids.max'), '9')
  })

  it('takes memory limits up, down and away', () => {
    createCgroup(path, { memory: { limit: 64 << 20, swap: 64 << 20 } })
    for (const [limit, swap] of [[128, 256], [32, 32], [200, 200], [100, -1]] as const) {
      updateCgroup(path, { memory: { limit: limit << 20, swap: swap === -1 ? -1 : swap << 20 } })
      assert.equal(control('memory', 'memory.limit_in_bytes', 'memory.max'), String(limit << 20))
    }
    updateCgroup(path, { memory: { limit: -1 } })
    assert.match(control('memory', 'memory.limit_in_bytes', 'memory.max'), /^(max|9223372036854771712)$/)
  })

  it('is joined by a process that writes 0 into its targets', async () => {
    createCgroup(path, {})
    const child = inside('cat /proc/self/cgroup; exec sleep 60')
    await until(() => pids(path).includes(child.pid ?? 0))
    const lines = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8').trim().split('\n').filter((line) => !line.startsWith('0::') || cgroupVersion() === 2)
    for (const line of lines) assert.ok(line.endsWith(path), line)
    child.kill('SIGKILL')
    await exitOf(child)
  })

  it('stands still when frozen and goes on when thawed', async () => {
    createCgroup(path, {})
    const child = inside('while :; do :; done')
    await until(() => pids(path).length > 0)
    await freeze(path)
    assert.equal(isFrozen(path), true)
    const before = stats(path).cpu_stats.cpu_usage.total_usage
    await sleep(30)
    assert.equal(stats(path).cpu_stats.cpu_usage.total_usage, before)
    thaw(path)
    await until(() => stats(path).cpu_stats.cpu_usage.total_usage > before)
    killCgroup(path)
    assert.equal((await exitOf(child)).signal, 'SIGKILL')
  })

  it('is removed with what runs in it, frozen or below it', async () => {
    createCgroup(path, {})
    createCgroup(`${path}/below/deeper`, {})
    const child = inside('sleep 60 & sleep 61 & wait')
    const exit = exitOf(child)
    await until(() => pids(path).length === 3)
    await freeze(path)
    await removeCgroup(path)
    assert.equal((await exit).signal, 'SIGKILL')
    assert.deepEqual(groups(), [])
  })

  it('is removed with what was frozen below it', async () => {
    const own = path
    createCgroup(`${own}/below`, {})
    path = `${own}/below`
    const child = inside('exec sleep 60')
    const exit = exitOf(child)
    await until(() => pids(path).length === 1)
    await freeze(path)
    path = own
    await removeCgroup(own)
    assert.equal((await exit).signal, 'SIGKILL')
    assert.deepEqual(groups(), [])
  })

  it('counts kills for want of memory, and only those', async () => {
    createCgroup(path, { memory: { limit: 16 << 20, swap: 16 << 20 } })
    using watch = watchOom(path)
    assert.equal((await exitOf(inside('exit 137'))).code, 137)
    assert.equal(oomKills(path), 0)
    // tail keeps a line that never ends.
    const hungry = await exitOf(inside('tail /dev/zero; echo "tail: $?"'))
    assert.match(hungry.output, /tail: 137/)
    assert.equal(oomKills(path), 1)
    assert.equal(watch?.take(), 1)
    assert.equal(watch?.take(), 0)
  })

  it('stops forks at its limit', async () => {
    createCgroup(path, { pids: { limit: 3 } })
    const { output } = await exitOf(inside('sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait'))
    assert.match(output, /[Cc]annot fork/)
  })

  it('keeps devices closed that are not in its list, and opens one while it runs', async () => {
    createCgroup(path, { devices: defaultDeviceRules })
    const open = 'if { true < /dev/kmsg; } 2>/dev/null; then echo yes; else echo no; fi'
    assert.equal((await exitOf(inside(`true < /dev/null && true > /dev/full && ${open}`))).output.trim(), 'no')
    updateCgroup(path, { devices: [...defaultDeviceRules, { allow: true, type: 'c', major: 1, minor: 11, access: 'r' }] })
    assert.equal((await exitOf(inside(open))).output.trim(), 'yes')
    updateCgroup(path, { devices: defaultDeviceRules })
    assert.equal((await exitOf(inside(open))).output.trim(), 'no')
  })

  it('says which file refused a value', () => {
    assert.throws(() => createCgroup(path, { cpu: { cpus: '4000' } }), /^SyscallError: write\(path=".*\/cpuset\.cpus", value="4000"\): /)
  })

  it('has Docker\'s figures', async () => {
    createCgroup(path, { memory: { limit: 32 << 20 }, pids: { limit: 5 } })
    const child = inside('i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 60')
    await until(() => pids(path).length === 1 && stats(path).cpu_stats.cpu_usage.total_usage > 1_000_000)
    const figures = stats(path)
    assert.deepEqual(figures.pids_stats, { current: 1, limit: 5 })
    assert.equal(figures.memory_stats.limit, 32 << 20)
    assert.ok((figures.memory_stats.usage ?? 0) > 0)
    assert.ok(figures.cpu_stats.system_cpu_usage > figures.cpu_stats.cpu_usage.total_usage)
    assert.ok(figures.cpu_stats.online_cpus > 0)
    killCgroup(path)
    await exitOf(child)
  })
})
