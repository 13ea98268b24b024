import assert from 'node:assert/strict'
import { closeSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { execFileSync } from 'node:child_process'
import { makeNamespaces } from '@engine/linux/user-namespace'
import type { OciSpec } from '@engine/runtime'
import { born, ended, TestBirths } from '../harness/birth.ts'
import { remapped } from '../harness/spec-changes.ts'

const uids = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const gids = [{ containerID: 0, hostID: 200_000, size: 65_536 }]

let births: TestBirths

before(() => {
  births = new TestBirths()
  // A plain bundle: whoever makes it makes its files the container's.
  execFileSync('chown', ['-R', '100000:200000', births.root])
})
after(() => births[Symbol.asyncDispose]())

const status = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8')

describe('a container in a user namespace of its own', () => {
  it('is root inside and nobody of importance outside, in every namespace of its own', async () => {
    const { pid } = await births.start(['sleep', '100'], remapped)
    assert.match(status(pid), /^Uid:\t100000\t100000\t100000\t100000$/m)
    assert.match(status(pid), /^Gid:\t200000\t200000\t200000\t200000$/m)
    assert.match(status(pid), /^Groups:\t200000 $/m)
    assert.match(status(pid), /^NSpid:\t\d+\t1$/m)
    assert.match(status(pid), /^CapEff:\t00000000a80425fb$/m)
    assert.match(status(pid), /^CapBnd:\t00000000a80425fb$/m)
    assert.deepEqual(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/), ['0', '100000', '65536'])
    assert.deepEqual(readFileSync(`/proc/${pid}/gid_map`, 'utf8').trim().split(/\s+/), ['0', '200000', '65536'])
    for (const type of ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup']) assert.notEqual(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(`/proc/self/ns/${type}`), type)
  })

  it('has the mounts, devices and names of any other', async () => {
    const { output, end } = await births.shell(
      'id; hostname; ls -ln /dev/null /dev/tty /dev/fd | cut -c1-40; echo x > /dev/null && head -c 4 /dev/zero | wc -c; cat /proc/keys | wc -c; mount | cut -d" " -f3,5 | sort | uniq; cat /proc/1/comm; touch /dev/shm/x /tmp/made && ls -ln /tmp/made',
      remapped,
    )
    assert.deepEqual(end, { code: 0 }, output)
    assert.match(output, /^uid=0(\(root\))? gid=0.*\ntest-host\n/)
    assert.match(output, /^crw-rw-rw- +1 0 +0 +1,/m)
    assert.match(output, /^4\n0$/m)
    for (const mount of ['/ ext', '/proc proc', '/dev tmpfs', '/dev/pts devpts', '/sys sysfs', '/dev/mqueue mqueue', '/dev/shm tmpfs', '/dev/null tmpfs', '/sys/firmware tmpfs']) assert.match(output, new RegExp(`^${mount}`, 'm'))
    assert.match(output, /^sh$/m)
    const made = statSync(join(births.root, 'tmp/made'))
    assert.deepEqual([made.uid, made.gid], [100_000, 200_000])
  })

  it('becomes another user with groups; an id without a mapping is refused', async () => {
    const as = (uid: number) => (spec: OciSpec): OciSpec => remapped({ ...spec, process: { ...spec.process, args: ['sleep', '100'], user: { uid, gid: 1001, additionalGids: [7, 8] } } })
    const { pid } = await births.start(['sleep', '100'], as(1000))
    assert.match(status(pid), /^Uid:\t101000\t/m)
    assert.match(status(pid), /^Gid:\t201001\t/m)
    assert.match(status(pid), /^Groups:\t200007 200008 201001 $/m)
    assert.match(status(pid), /^CapEff:\t0000000000000000$/m)
    await assert.rejects(births.run(as(65_536)), /container uid 65536 cannot be mapped to a host ID/)
  })

  it('has limits, no_new_privs and an oom_score_adj', async () => {
    const { pid } = await births.start(['sleep', '100'], (spec) =>
      remapped({ ...spec, process: { ...spec.process, noNewPrivileges: true, oomScoreAdj: 321, rlimits: [{ type: 'RLIMIT_NOFILE', soft: 5, hard: 9 }, { type: 'RLIMIT_CORE', soft: 0, hard: 0 }] } }))
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max open files +5 +9 /m)
    assert.match(status(pid), /^NoNewPrivs:\t1$/m)
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'), '321\n')
  })

  it('sets sysctls of its namespaces', async () => {
    const { output } = await births.shell('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', (spec) => remapped({ ...spec, linux: { ...spec.linux, sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '4321' } } }))
    assert.equal(output, '1\n4321\n')
  })

  it('runs more processes, which have what it has', async () => {
    const container = await births.start(['sleep', '100'], remapped)
    const { output } = await births.exec(container, (process) => ({ ...process, user: { uid: 33, gid: 34, additionalGids: [] }, args: ['sh', '-c', 'id; readlink /proc/self/ns/user; cat /proc/self/uid_map'] }))
    assert.match(output, /^uid=33 gid=34 groups=34\n/)
    assert.ok(output.includes(readlinkSync(`/proc/${container.pid}/ns/user`)), output)
    assert.match(output, /0 +100000 +65536/)
    // Nothing of the host's mounts is left under or over its root.
    assert.equal(statSync(`/proc/${container.pid}/root/`).ino, statSync(births.root).ino)
    assert.deepEqual(readFileSync(`/proc/${container.pid}/mountinfo`, 'utf8').split('\n').filter((line) => line.split(' ')[4] === '/').length, 1)
    const root = await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', 'id; grep -E "CapEff|NoNew" /proc/self/status; touch /tmp/by-exec'] }))
    assert.match(root.output, /^uid=0(\(root\))? gid=0.*\nCapEff:\t00000000a80425fb\n/)
    assert.equal(statSync(join(births.root, 'tmp/by-exec')).uid, 100_000)
  })

  it('has terminals that belong to its user', async () => {
    const at = { terminal: { rows: 33, columns: 77 } }
    const container = await births.start(['sleep', '100'], remapped)
    const birth = births.beginExec(container, (process) => ({ ...process, terminal: true, user: { uid: 7, gid: 8, additionalGids: [] }, args: ['sleep', '100'] }), at)
    const outcome = await born(birth)
    assert.ok(outcome.born, outcome.born ? '' : outcome.failure.message)
    const { uid, gid } = statSync(`/proc/${outcome.pid}/fd/0`)
    assert.deepEqual([uid, gid], [100_007, 200_005])
    assert.match(readlinkSync(`/proc/${outcome.pid}/fd/0`), /^\/dev\/pts\/\d+$/)
    process.kill(outcome.pid, 'SIGKILL')
    await ended(outcome.pidfd)
    closeSync(outcome.pidfd)
    closeSync(birth.master as number)
  })

  it('joins a user namespace that exists, and what belongs to it', async () => {
    using made = makeNamespaces({ uids, gids }, true)
    const path = (fd: number | undefined): string => `/proc/${process.pid}/fd/${fd ?? -1}`
    const { pid } = await births.start(['sleep', '100'], (spec) => ({
      ...spec,
      linux: { ...spec.linux, namespaces: [{ type: 'user', path: path(made.user.fd) }, ...spec.linux.namespaces.filter(({ type }) => type !== 'network'), { type: 'network', path: path(made.network?.fd) }] },
    }))
    assert.equal(readlinkSync(`/proc/${pid}/ns/user`), readlinkSync(path(made.user.fd)))
    assert.equal(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync(path(made.network?.fd)))
    assert.match(status(pid), /^Uid:\t100000\t/m)
    // Another one in its PID namespace, which belongs to that user namespace.
    const second = await births.start(['sleep', '100'], (spec) => ({
      ...spec,
      linux: { ...spec.linux, namespaces: [{ type: 'user', path: `/proc/${pid}/ns/user` }, ...spec.linux.namespaces.filter(({ type }) => type !== 'pid'), { type: 'pid', path: `/proc/${pid}/ns/pid` }] },
    }))
    assert.equal(readlinkSync(`/proc/${second.pid}/ns/pid`), readlinkSync(`/proc/${pid}/ns/pid`))
    assert.match(status(second.pid), /^NSpid:\t\d+\t\d+$/m)
  })

  it('is refused without mappings, and mappings without it', async () => {
    const change = (linux: Partial<OciSpec['linux']>) => births.run((spec) => ({ ...spec, linux: { ...spec.linux, ...linux } }))
    const plain = births.spec((spec) => spec).linux.namespaces
    await assert.rejects(change({ uidMappings: uids }), /USER namespace isn't enabled/)
    await assert.rejects(change({ namespaces: [{ type: 'user' }, ...plain] }), /no uid mappings/)
    await assert.rejects(change({ namespaces: [{ type: 'user' }, ...plain], uidMappings: [{ containerID: 1, hostID: 100_000, size: 10 }], gidMappings: gids }), /container uid 0 cannot be mapped/)
    await assert.rejects(change({ namespaces: [{ type: 'user' }, ...plain], uidMappings: [{ containerID: 0, hostID: 100_000, size: 0 }], gidMappings: gids }), /the kernel refuses the id mappings/)
  })
})
