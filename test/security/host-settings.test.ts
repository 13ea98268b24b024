import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkSysctls, createCgroup, defaultMaskedPaths, defaultMounts, defaultReadonlyPaths, type OciNamespace } from '@engine/runtime'

const own: readonly OciNamespace[] = [{ type: 'network' }, { type: 'ipc' }, { type: 'uts' }]

describe('CVE-2022-0811: sysctls', () => {
  for (const [name, value] of [
    ['kernel.shm_rmid_forced', '1+kernel.core_pattern=|/var/lib/x'],
    ['kernel.shm_rmid_forced', '1\nkernel.core_pattern=|/x'],
    ['kernel.core_pattern', '|/x'],
    ['kernel/core_pattern', '|/x'],
    ['net.ipv4/../../kernel.core_pattern', '|/x'],
    ['net/ipv4/../../kernel/core_pattern', '|/x'],
    ['net.ipv4.\0', '1'],
    ['vm.overcommit_memory', '1'],
    ['fs.protected_symlinks', '0'],
    ['NET.ipv4.ip_forward', '1'],
  ] as const) {
    it(`refuses ${JSON.stringify(name)} = ${JSON.stringify(value)}`, () => {
      assert.throws(() => checkSysctls({ [name]: value }, own), { code: 'invalid-argument' })
    })
  }
})

describe('CVE-2022-0492: release_agent', () => {
  it('is out of reach: the cgroup mount is read-only for all but privileged containers', () => {
    const cgroup = defaultMounts({ ipc: 'private', privileged: false }).find(({ destination }) => destination === '/sys/fs/cgroup')
    for (const option of ['ro', 'nosuid', 'nodev', 'noexec']) assert.ok(cgroup?.options.includes(option), option)
  })
})

describe('side channels of the host (GHSA-6fw5-f8r9-fgfm, GHSA-jq35-85cj-fj4p)', () => {
  for (const path of ['/proc/interrupts', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/sys/devices/virtual/powercap', '/sys/firmware', '/proc/kcore']) {
    it(`masks ${path}`, () => assert.ok(defaultMaskedPaths().includes(path)))
  }

  it('keeps what sets the host read-only', () => {
    assert.deepEqual(defaultReadonlyPaths, ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'])
  })
})

describe('cgroup paths and files', () => {
  for (const path of ['/../x', '/engine/../../x', 'engine', '/', '/engine/a\nb', '/engine/./a']) {
    it(`cannot be ${JSON.stringify(path)}`, () => assert.throws(() => createCgroup(path, {}), { code: 'invalid-argument' }))
  }
})
