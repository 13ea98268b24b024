import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTracer, type SyscallRecord } from '@engine/linux'
import type { OciResources } from '../spec.ts'
import { createCgroup, updateCgroup } from './create.ts'
import { oomKills } from './events.ts'
import { CgroupLayout, useLayout } from './hierarchy.ts'
import { joinTargets } from './join.ts'
import { pids } from './pids.ts'
import { stats } from './stats.ts'

/** A tree of plain files in place of a v2 file system. */
class FakeTree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'engine-cgroup-'))
  readonly #layout: Disposable

  constructor(controllers: readonly string[]) {
    this.#layout = useLayout(new CgroupLayout([{ version: 2, mountpoint: this.root, controllers }]))
  }

  put(files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true })
      writeFileSync(join(this.root, path), content)
    }
  }

  get(path: string): string {
    return readFileSync(join(this.root, path), 'utf8')
  }

  [Symbol.dispose](): void {
    this.#layout[Symbol.dispose]()
    rmSync(this.root, { recursive: true })
  }
}

describe('v2 on a tree of plain files', () => {
  let tree: FakeTree
  beforeEach(() => (tree = new FakeTree(['cpu', 'cpuset', 'io', 'memory', 'pids'])))
  afterEach(() => tree[Symbol.dispose]())

  const limits: OciResources = {
    memory: { limit: 1000, swap: 3000, reservation: 500 },
    cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: '0-1', mems: '0' },
    pids: { limit: 7 },
    blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 4096 }] },
  }
  const files = ['memory.max', 'memory.swap.max', 'memory.low', 'cpu.weight', 'cpu.max', 'cpuset.cpus', 'cpuset.mems', 'pids.max', 'io.weight', 'io.max']

  it('writes every limit in the words of v2', () => {
    tree.put(Object.fromEntries(files.map((file) => [`engine/a/${file}`, ''])))
    assert.deepEqual(createCgroup('/engine/a', limits), [])
    assert.deepEqual(files.map((file) => tree.get(`engine/a/${file}`)), ['1000', '2000', '500', '100', '50000 100000', '0-1', '0', '7', 'default 4950', '8:0 rbps=4096'])
  })

  it('warns in Docker\'s words of what the kernel has not', () => {
    assert.deepEqual(createCgroup('/engine/a', limits), [
      'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
      'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
      'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
      'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
      'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
      'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
      'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
      'Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.',
    ])
  })

  it('hands controllers down from the root to the parent, and no further', () => {
    tree.put({
      'cgroup.controllers': 'cpu io memory',
      'cgroup.subtree_control': 'memory',
      'engine.slice/cgroup.controllers': 'cpu io memory',
      'engine.slice/cgroup.subtree_control': '',
      'engine.slice/a/cgroup.controllers': 'cpu io memory',
      'engine.slice/a/cgroup.subtree_control': '',
    })
    createCgroup('/engine.slice/a', {})
    assert.equal(tree.get('cgroup.subtree_control'), '+cpu +io')
    assert.equal(tree.get('engine.slice/cgroup.subtree_control'), '+cpu +io +memory')
    assert.equal(tree.get('engine.slice/a/cgroup.subtree_control'), '')
  })

  it('takes limits away with -1', () => {
    tree.put({ 'engine/a/memory.max': '', 'engine/a/memory.swap.max': '', 'engine/a/cpu.max': '', 'engine/a/pids.max': '' })
    updateCgroup('/engine/a', { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } })
    assert.deepEqual(['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map((file) => tree.get(`engine/a/${file}`)), ['max', 'max', 'max', 'max'])
  })

  it('keeps the quota when only the period changes', () => {
    tree.put({ 'engine/a/cpu.max': '70000 100000' })
    updateCgroup('/engine/a', { cpu: { period: 200_000 } })
    assert.equal(tree.get('engine/a/cpu.max'), '70000 200000')
  })

  it('takes the memory limit that holds off a new sum', () => {
    tree.put({ 'engine/a/memory.max': '1000', 'engine/a/memory.swap.max': '' })
    updateCgroup('/engine/a', { memory: { swap: 1500 } })
    assert.equal(tree.get('engine/a/memory.swap.max'), '500')
    assert.throws(() => updateCgroup('/engine/a', { memory: { swap: 500 } }), /memory\+swap limit should be >= memory limit/)
  })

  it('has no swappiness and no switch for the OOM killer', () => {
    tree.put({ 'engine/a/memory.max': '' })
    assert.deepEqual(createCgroup('/engine/a', { memory: { swappiness: 60, disableOOMKiller: true } }), [
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
      'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    ])
  })

  it('writes files by name, and only plain names', () => {
    tree.put({ 'engine/a/memory.high': '' })
    createCgroup('/engine/a', { unified: { 'memory.high': '4096' } })
    assert.equal(tree.get('engine/a/memory.high'), '4096')
    assert.throws(() => updateCgroup('/engine/a', { unified: { '../b/memory.high': '1' } }), { code: 'invalid-argument' })
    assert.throws(() => updateCgroup('/engine/a', { unified: { 'cpu.idle': '1' } }), { message: 'unified resource "cpu.idle" can\'t be set: controller "cpu" not available' })
  })

  it('reports each write to the tracer', () => {
    tree.put({ 'engine/a/pids.max': '' })
    const records: SyscallRecord[] = []
    const before = setTracer((record) => records.push(record))
    try {
      createCgroup('/engine/a', { pids: { limit: 3 } })
    } finally {
      setTracer(before)
    }
    const written = records.filter(({ call, result }) => call === 'write' && result === 0)
    assert.deepEqual(written.map(({ args }) => args), [{ path: join(tree.root, 'engine/a/pids.max'), value: '3' }])
  })

  it('reads figures in Docker\'s shape', () => {
    tree.put({
      'engine/a/memory.current': '4096\n',
      'engine/a/memory.max': '8192\n',
      'engine/a/memory.stat': 'anon 1\nfile 2\n',
      'engine/a/memory.events': 'low 0\nhigh 0\nmax 4\noom 3\noom_kill 2\n',
      'engine/a/cpu.stat': 'usage_usec 10\nuser_usec 7\nsystem_usec 3\nnr_periods 5\nnr_throttled 1\nthrottled_usec 20\n',
      'engine/a/pids.current': '2\n',
      'engine/a/pids.max': 'max\n',
      'engine/a/io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n',
      'engine/a/cgroup.procs': '12\n',
      'engine/a/below/cgroup.procs': '7\n0\n',
    })
    const figures = stats('/engine/a')
    assert.deepEqual(figures.memory_stats, { usage: 4096, stats: { anon: 1, file: 2 }, failcnt: 3, limit: 8192 })
    assert.deepEqual(figures.cpu_stats.cpu_usage, { total_usage: 10_000, usage_in_kernelmode: 3000, usage_in_usermode: 7000 })
    assert.deepEqual(figures.cpu_stats.throttling_data, { periods: 5, throttled_periods: 1, throttled_time: 20_000 })
    assert.deepEqual(figures.pids_stats, { current: 2 })
    assert.deepEqual(figures.blkio_stats.io_service_bytes_recursive, [
      { major: 8, minor: 0, op: 'read', value: 1 },
      { major: 8, minor: 0, op: 'write', value: 2 },
    ])
    assert.equal(oomKills('/engine/a'), 2)
    assert.deepEqual(pids('/engine/a'), [7, 12])
    assert.deepEqual(joinTargets('/engine/a'), [join(tree.root, 'engine/a/cgroup.procs')])
  })
})
