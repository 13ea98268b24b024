import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { compile, defaultProfile } from '@engine/runtime'
import { TestBirths } from '../harness/birth.ts'
import { TestShim } from '../harness/shim.ts'

/* What a container's process is allowed, as the kernel has it: beside container-identity.test.ts, which looks at what is asked for. */

let births: TestBirths
before(() => {
  births = new TestBirths()
})
after(() => births[Symbol.asyncDispose]())

describe('CVE-2022-24769, CVE-2022-29162: inheritable capabilities', () => {
  it('are none in a container and in its execs, for any user', async () => {
    for (const uid of [0, 1000]) {
      const container = await births.start(['sleep', '100'], (spec) => ({ ...spec, process: { ...spec.process, user: { uid, gid: uid, additionalGids: [] } } }))
      const { output } = await births.exec(container, (process) => ({ ...process, args: ['cat', '/proc/self/status'] }))
      for (const status of [readFileSync(`/proc/${container.pid}/status`, 'utf8'), output]) {
        assert.match(status, /^CapInh:\t0000000000000000$/m)
        assert.match(status, /^CapAmb:\t0000000000000000$/m)
      }
    }
  })
})

describe('CVE-2022-36109, CVE-2023-25173: groups', () => {
  it('are those of the spec with the primary one, and none of the host\'s', async () => {
    for (const additionalGids of [[], [7, 8], [1001]]) {
      const { output } = await births.shell('grep -E "^(Groups|Gid)" /proc/self/status', (spec) => ({ ...spec, process: { ...spec.process, user: { uid: 1000, gid: 1001, additionalGids } } }))
      const groups = /^Groups:\t(.*)$/m.exec(output)?.[1]?.trim().split(' ').map(Number).sort((a, b) => a - b)
      assert.deepEqual(groups, [...new Set([1001, ...additionalGids])].sort((a, b) => a - b))
      assert.match(output, /^Gid:\t1001\t1001\t1001\t1001$/m)
    }
  })
})

describe('CVE-2022-0492: release_agent', () => {
  it('cannot be written, and no cgroup can be made', async () => {
    const { output } = await births.shell('for d in /sys/fs/cgroup /sys/fs/cgroup/*; do [ -L $d ] && continue; echo /evil > $d/release_agent && echo written; mkdir $d/evil && echo made; echo 1 > $d/notify_on_release && echo notified; done; mount -t cgroup -o rdma x /tmp && echo mounted')
    assert.doesNotMatch(output, /^(written|made|notified|mounted)$/m)
    assert.match(output, /Read-only file system/)
  })

  it('is out of reach by way of a user namespace as well', async () => {
    const filter = await compile(defaultProfile({ capabilities: [] }))
    const { output } = await births.shell('unshare -Urm sh -c "mount -t cgroup -o rdma x /tmp && echo mounted"; echo done', undefined, { filter })
    assert.match(output, /unshare: .*(not permitted|denied)/)
    assert.match(output, /^done$/m)
  })
})

describe('CVE-2020-15257: the shim\'s socket', () => {
  it('is a file for root alone, and not an abstract name that a container with the host\'s network sees', async () => {
    await using shim = await TestShim.start()
    assert.equal(statSync(shim.socketPath).mode & 0o777, 0o600)
    const container = await births.start(['sleep', '100'], (spec) => ({ ...spec, linux: { ...spec.linux, namespaces: spec.linux.namespaces.filter(({ type }) => type !== 'network') } }))
    const { output } = await births.exec(container, (process) => ({ ...process, args: ['cat', '/proc/net/unix'] }))
    assert.ok(output.includes('shim.sock'), 'the test looks at the right list')
    assert.ok(!output.split('\n').some((line) => / @.*(engine|shim)/.test(line)), output)
  })
})
