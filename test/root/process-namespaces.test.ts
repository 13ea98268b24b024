import assert from 'node:assert/strict'
import { readFileSync, readlinkSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { OciSpec } from '@engine/runtime'
import { TestBirths, type Change } from '../harness/birth.ts'
import { processWith, without } from '../harness/spec-changes.ts'

let births: TestBirths

before(() => {
  births = new TestBirths()
})
after(() => births[Symbol.asyncDispose]())


describe('namespaces', () => {
  const namespaceOf = (pid: number | 'self', type: string): string => readlinkSync(`/proc/${pid}/ns/${type}`)

  it('that are not in the spec are the host\'s', async () => {
    const container = await births.start(['sleep', '100'], (spec) => without('pid', 'ipc', 'uts', 'network', 'cgroup')({ ...spec, hostname: undefined as never }))
    for (const type of ['pid', 'ipc', 'uts', 'net', 'cgroup']) assert.equal(namespaceOf(container.pid, type), namespaceOf('self', type), type)
    assert.notEqual(namespaceOf(container.pid, 'mnt'), namespaceOf('self', 'mnt'))
    const { output } = await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', `cat /proc/${container.pid}/comm; hostname`] }))
    assert.equal(output, `sleep\n${readFileSync('/proc/sys/kernel/hostname', 'utf8')}`)
  })

  it('of another container are joined: pid, ipc, network and uts', async () => {
    const donor = await births.start(['sleep', '100'])
    const joining: Change<OciSpec> = (spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        namespaces: [...(['pid', 'ipc', 'network', 'uts'] as const).map((type) => ({ type, path: `/proc/${donor.pid}/ns/${type === 'network' ? 'net' : type}` })), { type: 'mount' }, { type: 'cgroup' }],
      },
    })
    const guest = await births.start(['sleep', '101'], joining)
    for (const type of ['pid', 'ipc', 'net', 'uts']) assert.equal(namespaceOf(guest.pid, type), namespaceOf(donor.pid, type), type)
    for (const type of ['mnt', 'cgroup']) assert.notEqual(namespaceOf(guest.pid, type), namespaceOf(donor.pid, type), type)
    const status = readFileSync(`/proc/${guest.pid}/status`, 'utf8')
    assert.match(status, /^NSpid:\t\d+\t[2-9]$/m)
    assert.equal(/^PPid:\t(\d+)$/m.exec(status)?.[1], String(process.pid))
    const { output } = await births.exec(guest, (given) => ({ ...given, args: ['ps'] }))
    assert.match(output, /1 root\s+sleep 100/)
    assert.match(output, /\d root\s+sleep 101/)
  })

  it('that are gone say so', async () => {
    await assert.rejects(births.run((spec) => ({ ...spec, linux: { ...spec.linux, namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'network', path: '/run/no-such-namespace' }] } })), { message: 'lstat /run/no-such-namespace: no such file or directory' })
  })

  it('must not be the host\'s where the host would be changed', async () => {
    const refused = (change: Change<OciSpec>, message: RegExp): Promise<void> => assert.rejects(births.run(change), message)
    await refused(without('mount'), /mount namespace of its own/)
    await refused(without('uts'), /unable to set hostname without a private UTS namespace/)
    await refused((spec) => without('network')({ ...spec, linux: { ...spec.linux, sysctl: { 'net.ipv4.ip_forward': '1' } } }), /not allowed in host network namespace/)
  })
})

describe('limits and settings', () => {
  it('are what the spec says: rlimits, oom_score_adj, umask, sysctls, host and domain name', async () => {
    const { output, failure } = await births.shell(
      'ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj; umask; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax /proc/sys/kernel/hostname /proc/sys/kernel/domainname',
      (spec) => ({
        ...processWith({
          rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }, { type: 'RLIMIT_CORE', soft: 0, hard: -1 }],
          oomScoreAdj: 500,
          user: { uid: 0, gid: 0, additionalGids: [], umask: 0o027 },
        })(spec),
        hostname: 'a-name',
        domainname: 'example.org',
        linux: { ...spec.linux, sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'kernel.msgmax': '12345' } },
      }),
    )
    assert.equal(failure, '')
    assert.deepEqual(output.trim().split('\n'), ['100', '200', '0', '500', '0027', '0', '12345', 'a-name', 'example.org'])
  })

  it('may leave a program only five descriptors', async () => {
    const { output, failure } = await births.shell('ulimit -n; pwd', processWith({ rlimits: [{ type: 'RLIMIT_NOFILE', soft: 5, hard: 5 }], cwd: '/tmp' }))
    assert.equal(failure, '')
    assert.equal(output, '5\n/tmp\n')
  })

  it('take sysctls of a link whose name has a dot', async () => {
    const { failure } = await births.run((spec) => ({ ...spec, linux: { ...spec.linux, sysctl: { 'net/ipv4/conf/eth0.1/forwarding': '1' } } }))
    assert.match(failure, /open sysctl net\/ipv4\/conf\/eth0\.1\/forwarding file: no such file or directory/)
  })

  it('do not take ids that the kernel understands as "as it is"', async () => {
    for (const user of [{ uid: 0xffff_ffff, gid: 0 }, { uid: 0, gid: 0xffff_ffff }, { uid: -1, gid: 0 }, { uid: 1.5, gid: 0 }]) {
      await assert.rejects(births.run(processWith({ user: { ...user, additionalGids: [] } })), { code: 'invalid-argument' }, JSON.stringify(user))
    }
  })
})
