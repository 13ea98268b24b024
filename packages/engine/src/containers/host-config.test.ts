import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import type { KernelLimits } from '../system/limits.ts'
import { parseList } from '../system/limits.ts'
import type { ContainerConfig, HostConfig } from '../types/container-config.ts'
import { checkHostConfig } from './host-config-check.ts'
import { completeHostConfig } from './host-config.ts'

const defaults = { shmSize: 64 << 20, maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] } as const
const all: KernelLimits = {
  cgroupVersion: 1, memory: true, swap: true, memoryReservation: true, swappiness: true, kernelMemoryTcp: true, oomKillDisable: true, cpuShares: true, cpuCfs: true, cpuRealtime: true,
  cpuset: true, cpus: '0-1', mems: '0', pids: true, blkioWeight: true, blkioThrottle: true,
}
const none: KernelLimits = {
  ...all, memory: false, swap: false, memoryReservation: false, swappiness: false, oomKillDisable: false, cpuShares: false, cpuCfs: false, cpuRealtime: false,
  cpuset: false, pids: false, blkioWeight: false, blkioThrottle: false,
}
const check = (given: HostConfig, limits = all, config: ContainerConfig = {}) => {
  const host = completeHostConfig(given, defaults)
  return { host, warnings: checkHostConfig(host, config, limits) }
}

test('an empty HostConfig is filled in as Docker fills it in', () => {
  const host = completeHostConfig({}, defaults)
  assert.deepEqual(host.RestartPolicy, { Name: 'no', MaximumRetryCount: 0 })
  assert.deepEqual(host.LogConfig, { Type: 'json-file', Config: {} })
  assert.deepEqual(
    [host.NetworkMode, host.CgroupnsMode, host.IpcMode, host.ShmSize, host.OomKillDisable, host.PidsLimit, host.Binds, host.Devices, host.ConsoleSize],
    ['bridge', 'private', 'private', 64 << 20, false, null, null, null, [0, 0]],
  )
  for (const absent of ['Annotations', 'StorageOpt', 'Tmpfs', 'Sysctls', 'Mounts', 'Init']) assert.equal(absent in host, false)
})

test('what follows from other fields', () => {
  assert.equal(completeHostConfig({ Memory: 100 }, defaults).MemorySwap, 200)
  assert.equal(completeHostConfig({ Memory: 100, MemorySwap: -1 }, defaults).MemorySwap, -1)
  const privileged = completeHostConfig({ Privileged: true }, defaults)
  assert.deepEqual([privileged.MaskedPaths, privileged.ReadonlyPaths, privileged.SecurityOpt], [null, null, ['label=disable']])
  assert.deepEqual(completeHostConfig({ CapAdd: ['net_admin'], CapDrop: ['ALL'] }, defaults).CapAdd, ['CAP_NET_ADMIN'])
  assert.deepEqual(completeHostConfig({ MaskedPaths: [] }, defaults).MaskedPaths, [])
  assert.deepEqual(completeHostConfig({ Devices: [{ PathOnHost: '/dev/x' }] }, defaults).Devices, [{ PathOnHost: '/dev/x', PathInContainer: '', CgroupPermissions: '' }])
  assert.throws(() => completeHostConfig({ Runtime: 'foo' }, defaults), { message: 'unknown or invalid runtime name: foo' })
  assert.throws(() => completeHostConfig({ CapAdd: ['FOO'] }, defaults), { message: 'invalid CapAdd: unknown capability: "CAP_FOO"' })
})

test('what Docker refuses, in its words', () => {
  const cpus = availableParallelism()
  for (const [given, message] of [
    [{ Memory: 1000 }, 'Minimum memory limit allowed is 6MB'],
    [{ MemorySwap: 1e8 }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    [{ Memory: 1e8, MemorySwap: 1000 }, 'Minimum memoryswap limit should be larger than memory limit, see usage'],
    [{ Memory: 1e8, MemoryReservation: 2e8 }, 'Minimum memory limit can not be less than memory reservation limit, see usage'],
    [{ NanoCpus: 1e15 }, `range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`],
    [{ NanoCpus: 1e9, CpuQuota: 3 }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    [{ CpuPeriod: 3 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
    [{ CpuQuota: 3 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [{ CpusetCpus: '9' }, 'Requested CPUs are not available - requested 9, available: 0-1'],
    [{ CpusetCpus: 'x' }, 'Invalid value x for cpuset cpus: invalid format: x'],
    [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
    [{ OomScoreAdj: 2000 }, 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
    [{ RestartPolicy: { Name: 'foo' } }, "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"],
    [{ RestartPolicy: { Name: 'always', MaximumRetryCount: 2 } }, "invalid restart policy: maximum retry count can only be used with 'on-failure'"],
    [{ RestartPolicy: { Name: 'always' }, AutoRemove: true }, "can't create 'AutoRemove' container with restart policy"],
    [{ PidMode: 'foo' }, 'invalid PID mode: foo'],
    [{ IpcMode: 'foo' }, 'invalid IPC mode: foo'],
    [{ ExtraHosts: ['foo'] }, 'bad format for add-host: "foo"'],
    [{ ExtraHosts: ['foo:bar'] }, 'invalid IP address in add-host: "bar"'],
    [{ NetworkMode: 'container:x', PortBindings: { '80/tcp': [] } }, 'conflicting options: port publishing and the container type network mode'],
  ] as const) assert.throws(() => check(given), { code: 'invalid-argument', message })
})

test('a name or an address of its own does not go with another one’s namespace', () => {
  const network = { NetworkMode: 'container:x' }
  assert.throws(() => check(network, all, { Hostname: 'h' }), { message: 'conflicting options: hostname and the network mode' })
  assert.throws(() => check(network, all, { MacAddress: '02:00:00:00:00:01' }), { message: 'conflicting options: mac-address and the network mode' })
  assert.throws(() => check({ NetworkMode: 'host' }, all, { MacAddress: '02:00:00:00:00:01' }), { message: 'conflicting options: mac-address and the network mode' })
  assert.throws(() => check({ UTSMode: 'host' }, all, { Hostname: 'h' }), { message: 'conflicting options: hostname and the UTS mode' })
  assert.deepEqual(check({ NetworkMode: 'host' }, all, { Hostname: 'h' }).warnings, [])
})

test('ports of the host are numbers or ranges', () => {
  const binding = { '80/tcp': [{ HostPort: '80' }] }
  for (const HostPort of ['', '0', '80', '0080', '8000-8010']) assert.deepEqual(check({ PortBindings: { '80/tcp': [{ HostPort }] } }).warnings, [])
  for (const HostPort of ['x', '70000', '90-80', '-1', '1-']) assert.throws(() => check({ PortBindings: { '80/tcp': [{ HostPort }] } }), { message: `invalid port specification: "${HostPort}"` })
  assert.throws(() => check({ PortBindings: { '80-82/tcp': [] } }), { message: 'invalid port specification: "80-82"' })
  assert.deepEqual(check({ NetworkMode: 'none', PortBindings: binding }).warnings, [])
  assert.deepEqual(check({ NetworkMode: 'host', PortBindings: binding }).warnings, ['Published ports are discarded when using host network mode'])
})

test('limits that the kernel has not are discarded, with a word', () => {
  const { host, warnings } = check(
    {
      Memory: 1e8, MemoryReservation: 1e7, MemorySwappiness: 5, OomKillDisable: true, PidsLimit: 5, CpuShares: 5, CpuQuota: 5000, CpuRealtimeRuntime: 5, CpusetCpus: '0', BlkioWeight: 50,
      BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 5 }],
    },
    none,
  )
  assert.deepEqual(
    [host.Memory, host.MemoryReservation, host.MemorySwappiness, host.OomKillDisable, host.PidsLimit, host.CpuShares, host.CpuQuota, host.CpuRealtimeRuntime, host.CpusetCpus, host.BlkioWeight, host.BlkioDeviceReadBps],
    [0, 0, null, null, null, 0, 0, 0, '', 0, []],
  )
  assert.equal(warnings.length, 11)
  for (const warning of warnings) assert.match(warning, /discarded\.$/)
})

test('lists of the kernel', () => {
  assert.deepEqual([...(parseList('0-2,7') ?? [])], [0, 1, 2, 7])
  assert.deepEqual([...(parseList('') ?? [])], [])
  for (const wrong of ['x', '1-', '3-1', '0-99999', '1,,2']) assert.equal(parseList(wrong), undefined)
})
