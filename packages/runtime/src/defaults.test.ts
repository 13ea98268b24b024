import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { defaultDevices, defaultDeviceLinks } from './default-devices.ts'
import { defaultMounts } from './default-mounts.ts'
import { defaultMaskedPaths, thermalThrottlePaths } from './defaults.ts'

/** Docker 28.5's config.json for `docker run IMAGE`, without the files of /etc. */
const dockers = [
  '/proc proc proc nosuid,noexec,nodev',
  '/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k',
  '/dev/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5',
  '/sys sysfs sysfs nosuid,noexec,nodev,ro',
  '/sys/fs/cgroup cgroup cgroup ro,nosuid,noexec,nodev',
  '/dev/mqueue mqueue mqueue nosuid,noexec,nodev',
  '/dev/shm tmpfs shm nosuid,noexec,nodev,mode=1777,size=67108864',
]
const shown = (options: Parameters<typeof defaultMounts>[0]): string[] => defaultMounts(options).map(({ destination, type, source, options: words }) => `${destination} ${type} ${source} ${words.join()}`)

describe('default mounts', () => {
  it('are Docker\'s', () => assert.deepEqual(shown({ ipc: 'private', privileged: false }), dockers))

  it('are writable for a privileged container', () => {
    assert.deepEqual(shown({ ipc: 'private', privileged: true }), dockers.map((line) => line.replace(/,ro$/, '').replace(' ro,', ' ')))
  })

  it('have the shm that was asked for', () => {
    const shm = (options: Parameters<typeof defaultMounts>[0]): string | undefined => shown(options).find((line) => line.startsWith('/dev/shm'))
    assert.equal(shm({ ipc: 'none', privileged: false }), undefined)
    assert.equal(shm({ ipc: 'host', privileged: false }), '/dev/shm bind /dev/shm rbind,rprivate')
    assert.equal(shm({ ipc: 'shareable', shmPath: '/x/shm', privileged: false }), '/dev/shm bind /x/shm rbind,rprivate')
    assert.match(shm({ ipc: 'private', shmSize: 4096, privileged: false }) ?? '', /size=4096$/)
  })
})

describe('default devices', () => {
  it('are Docker\'s', () => {
    assert.deepEqual(defaultDevices.map(({ path, major, minor }) => `${path} ${major}:${minor}`), ['/dev/null 1:3', '/dev/zero 1:5', '/dev/full 1:7', '/dev/random 1:8', '/dev/urandom 1:9', '/dev/tty 5:0'])
    assert.deepEqual(defaultDeviceLinks().slice(0, 5).map(([path]) => path), ['/dev/fd', '/dev/stdin', '/dev/stdout', '/dev/stderr', '/dev/ptmx'])
  })
})

describe('masked paths', () => {
  it('hold what tells of the host', () => {
    for (const path of ['/proc/kcore', '/proc/keys', '/proc/interrupts', '/sys/firmware', '/sys/devices/virtual/powercap']) assert.ok(defaultMaskedPaths().includes(path))
  })

  it('name each processor that counts its throttling', () => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-cpus-'))
    try {
      for (const path of ['cpu0/thermal_throttle', 'cpu10/thermal_throttle', 'cpu2/thermal_throttle', 'cpu3', 'cpuidle/thermal_throttle']) mkdirSync(join(directory, path), { recursive: true })
      assert.deepEqual(thermalThrottlePaths(directory), ['cpu0', 'cpu2', 'cpu10'].map((name) => join(directory, name, 'thermal_throttle')))
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
