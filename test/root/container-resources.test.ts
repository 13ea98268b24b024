import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { cgroupLayout, type Controller } from '@engine/runtime'
import { openTestEngine, removal, until } from '../harness/engine.ts'

const world = openTestEngine({ after })
const signal = new AbortController().signal
const MiB = 1 << 20

/** What the kernel has in a container's control file: its name on v1, and on v2. */
async function control(id: string, controller: Controller, v1: string, v2 = v1): Promise<string> {
  const { options } = await world
  const place = cgroupLayout().place(controller, `${options.cgroupParent}/${id}`)
  assert.ok(place !== undefined, `no controller ${controller}`)
  return readFileSync(`${place.directory}/${place.version === 1 ? v1 : v2}`, 'utf8').trim()
}

const memoryLimit = (id: string): Promise<string> => control(id, 'memory', 'memory.limit_in_bytes', 'memory.max')

describe('an update', () => {
  test('reaches the cgroup of a container that runs, and lasts over its restart', async () => {
    const { engine, start, events } = await world
    const id = await start(['sleep', '1000'], { Memory: 64 * MiB })
    assert.deepEqual(await engine.containers.update(id, { Memory: 32 * MiB, CpuShares: 512, PidsLimit: 40, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } }), { Warnings: null })
    assert.equal(await memoryLimit(id), String(32 * MiB))
    assert.equal(await control(id, 'pids', 'pids.max'), '40')
    await engine.containers.restart(id, { timeout: 0 })
    assert.equal(await memoryLimit(id), String(32 * MiB))
    const { HostConfig } = await engine.containers.inspect(id, { size: false })
    assert.deepEqual([HostConfig.Memory, HostConfig.CpuShares, HostConfig.PidsLimit, HostConfig.RestartPolicy], [32 * MiB, 512, 40, { Name: 'on-failure', MaximumRetryCount: 2 }])
    await engine.containers.update(id, { PidsLimit: 0, Memory: 256 * MiB, MemorySwap: -1 })
    assert.equal(await control(id, 'pids', 'pids.max'), 'max')
    assert.equal(await memoryLimit(id), String(256 * MiB))
    assert.equal((await events(id)).filter((event) => event === 'container update').length, 2)
    await engine.containers.remove(id, removal)
  })

  test('that cannot be leaves everything as it was', async () => {
    const { engine, start, create } = await world
    const id = await start(['sleep', '1000'], { Memory: 64 * MiB, NanoCpus: 5e8 })
    const before = await engine.containers.inspect(id, { size: false })
    const cannot = `Cannot update container ${id}: `
    const cases = [
      [{ Memory: 1000 }, 'invalid-argument', 'Minimum memory limit allowed is 6MB'],
      [{ Memory: 200 * MiB }, 'conflict', `${cannot}Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`],
      [{ CpuQuota: 5000 }, 'conflict', `${cannot}Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set`],
      [{ RestartPolicy: { Name: 'x' } }, 'invalid-argument', "invalid restart policy: unknown policy 'x'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"],
      [{ CpusetCpus: '4000' }, 'invalid-argument', /^Requested CPUs are not available/],
    ] as const
    for (const [change, code, message] of cases) await assert.rejects(engine.containers.update(id, change), { code, message })
    // The kernel refuses the second of two: the first is taken back.
    if (cgroupLayout().place('cpu', '')?.version === 1) {
      await assert.rejects(engine.containers.update(id, { CpuShares: 77, CpuRealtimeRuntime: 950_000 }), { code: 'invalid-argument', message: /^Cannot update container .*cpu.rt_runtime_us/ })
      assert.equal(await control(id, 'cpu', 'cpu.shares'), '1024')
      assert.equal(await control(id, 'cpu', 'cpu.cfs_quota_us'), '50000')
    }
    assert.equal(await memoryLimit(id), String(64 * MiB))
    assert.deepEqual((await engine.containers.inspect(id, { size: false })).HostConfig, before.HostConfig)
    await engine.containers.remove(id, removal)
    const once = await create(['true'], { AutoRemove: true })
    await assert.rejects(engine.containers.update(once, { RestartPolicy: { Name: 'always' } }), { code: 'conflict', message: /Restart policy cannot be updated because AutoRemove is enabled for the container$/ })
    await engine.containers.remove(once, removal)
    await assert.rejects(engine.containers.update('nope', {}), { code: 'not-found', message: 'No such container: nope' })
  })
})

test('a limit that the kernel finds impossible is the caller\'s mistake, at a start too', { skip: cgroupLayout().place('cpu', '')?.version === 1 ? false : 'cgroup v2 has no real-time limits' }, async () => {
  const { engine, create } = await world
  // Docker takes it at creation as well: what a kernel has to give to real-time processes is known only to that kernel.
  const id = await create(['true'], { CpuRealtimeRuntime: -5 })
  await assert.rejects(engine.containers.start(id), { code: 'invalid-argument', message: /unable to apply cgroup configuration: failed to write "-5": write .*cpu\.rt_runtime_us: invalid argument$/ })
  await assert.rejects(create(['true'], { CpuRealtimePeriod: 1000, CpuRealtimeRuntime: 5000 }), { code: 'invalid-argument', message: 'cpu real-time runtime cannot be higher than cpu real-time period' })
  await engine.containers.remove(id, removal)
})

describe('stats', () => {
  test('count what the container does, second by second, and are zero when it does not run', async () => {
    const { engine, start } = await world
    const id = await start(['sh', '-c', 'while :; do :; done'], { Memory: 64 * MiB, PidsLimit: 30, NetworkMode: 'bridge' })
    const going = new AbortController()
    const samples = (await engine.containers.stats(id, { stream: true, oneShot: false }, going.signal))[Symbol.asyncIterator]()
    const [first, second] = [(await samples.next()).value, (await samples.next()).value]
    going.abort()
    assert.ok(first !== undefined && second !== undefined)
    assert.deepEqual([first.preread, first.precpu_stats.cpu_usage.total_usage], ['0001-01-01T00:00:00Z', 0])
    assert.deepEqual([second.preread, second.precpu_stats, second.id], [first.read, first.cpu_stats, id])
    const kernel = await control(id, 'cpuacct', 'cpuacct.usage', 'cpu.stat')
    const used = Number(/\d+/.exec(kernel)?.[0]) * (kernel.includes('usage_usec') ? 1000 : 1)
    assert.ok(second.cpu_stats.cpu_usage.total_usage > first.cpu_stats.cpu_usage.total_usage && second.cpu_stats.cpu_usage.total_usage <= used, `${second.cpu_stats.cpu_usage.total_usage} of ${used}`)
    assert.deepEqual([second.memory_stats.limit, second.pids_stats], [64 * MiB, { current: 1, limit: 30 }])
    assert.deepEqual(Object.keys(second.networks ?? {}), ['eth0'])
    await engine.containers.stop(id, { timeout: 0 })
    const after = await only(await engine.containers.stats(id, { stream: false, oneShot: false }, signal))
    assert.deepEqual([after.id, after.read, after.memory_stats, after.cpu_stats.cpu_usage.total_usage, 'networks' in after], [id, '0001-01-01T00:00:00Z', {}, 0, false])
    await engine.containers.remove(id, removal)
  })

  test('a stream goes on over the end of a container, and ends with its removal', async () => {
    const { engine, start } = await world
    const id = await start(['sleep', '1000'])
    const reads: string[] = []
    const followed = (async () => {
      for await (const { read } of await engine.containers.stats(id, { stream: true, oneShot: false }, signal)) reads.push(read)
    })()
    await until('a sample has come', () => reads.length > 0)
    await engine.containers.kill(id, 'KILL')
    await until('it is told that nothing runs', () => reads.includes('0001-01-01T00:00:00Z'))
    await engine.containers.remove(id, removal)
    await followed
  })
})

async function only<T>(samples: AsyncIterable<T>): Promise<T> {
  const all: T[] = []
  for await (const sample of samples) all.push(sample)
  assert.equal(all.length, 1)
  return all[0] as T
}
