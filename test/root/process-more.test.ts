import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Propagation } from '@engine/linux/mount-api'
import { bindMount, makePrivate, mount } from '@engine/linux/mount'
import { MNT_DETACH, unmount } from '@engine/linux/unmount'
import {
  availableCapabilities, capabilitySets, compile, createProcess, defaultMounts, defaultProfile, parseProfile, privilegedDeviceRules,
  type OciSpec,
} from '@engine/runtime'
import { born, ended, TestBirths, type Change } from '../harness/birth.ts'
import { bind, mounting, processWith, without } from '../harness/spec-changes.ts'

let births: TestBirths

before(() => {
  births = new TestBirths()
})
after(() => births[Symbol.asyncDispose]())

const directory = (name: string): string => {
  const path = join(births.directory, name)
  mkdirSync(path, { recursive: true })
  return path
}
const until = async (condition: () => boolean): Promise<void> => {
  for (const end = Date.now() + 5000; !condition(); await sleep(5)) assert.ok(Date.now() < end, 'it takes too long')
}
const mountsOf = (pid: number): string[] => readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n')
const mountAt = (pid: number, path: string): string => mountsOf(pid).findLast((line) => line.split(' ')[4] === path) ?? ''

describe('a privileged container', () => {
  const privileged: Change<OciSpec> = (spec) => ({
    ...spec,
    process: { ...spec.process, capabilities: capabilitySets(availableCapabilities()) },
    mounts: defaultMounts({ ipc: 'private', privileged: true }),
    linux: { ...spec.linux, resources: { devices: privilegedDeviceRules }, maskedPaths: [], readonlyPaths: [], devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600 }] },
  })

  it('has all capabilities, writable /sys and /proc/sys, its devices, and can mount', async () => {
    const { output, failure } = await births.shell(
      'grep -E "CapEff|Seccomp:" /proc/self/status; mount -t tmpfs x /var && touch /var/file && ls /var; ls -l /dev/fuse; cat /proc/sys/kernel/hostname > /proc/sys/kernel/hostname && echo writable',
      (spec) => privileged(spec),
    )
    assert.equal(failure, '')
    const mask = availableCapabilities().length
    assert.equal([...BigInt(`0x${/CapEff:\s*([0-9a-f]+)/.exec(output)?.[1] ?? '0'}`).toString(2)].filter((bit) => bit === '1').length, mask)
    assert.match(output, /Seccomp:\t0/)
    assert.match(output, /^crw-------\s+1 root\s+root\s+10, 229 .* \/dev\/fuse$/m)
    assert.match(output, /^writable$/m)
    assert.match(output, /^file$/m)
  })

  it('does not reach the host by what it mounts', async () => {
    const { output } = await births.shell('mount -t tmpfs engine-test-mark /tmp; mount --make-rshared /; mount -t tmpfs engine-test-mark /var; grep -c engine-test-mark /proc/self/mountinfo', (spec) => privileged(spec))
    assert.equal(output, '2\n')
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes('engine-test-mark'))
  })
})

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
    await refused((spec) => ({ ...spec, linux: { ...spec.linux, namespaces: [...spec.linux.namespaces, { type: 'user' }] } }), /user namespaces are not supported/)
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

describe('seccomp and no_new_privs', () => {
  const status = 'grep -E "Seccomp:|NoNewPrivs|CapEff|CapPrm" /proc/self/status; unshare -U true && echo escaped; mkdir -p /tmp/directory && echo works'
  const users = [{ uid: 0, gid: 0 }, { uid: 1000, gid: 1000 }]

  for (const { uid, gid } of users) {
    for (const noNewPrivileges of [false, true]) {
      it(`hold for uid ${uid} ${noNewPrivileges ? 'with' : 'without'} no_new_privs, in the container and in an exec`, async () => {
        const filter = await compile(defaultProfile({ capabilities: [] }))
        const change = processWith({ user: { uid, gid, additionalGids: [] }, noNewPrivileges })
        const container = await births.start(['sh', '-c', `${status}; sleep 100`], change, { filter })
        const executed = await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', status] }), { filter })
        assert.equal(executed.failure, '')
        await until(() => container.output().includes('works'))
        for (const output of [container.output(), executed.output]) {
          assert.match(output, /^Seccomp:\t2$/m)
          assert.match(output, new RegExp(`^NoNewPrivs:\t${noNewPrivileges ? 1 : 0}$`, 'm'))
          assert.match(output, new RegExp(`^CapEff:\t${uid === 0 ? '00000000a80425fb' : '0000000000000000'}$`, 'm'))
          assert.match(output, new RegExp(`^CapPrm:\t${uid === 0 ? '00000000a80425fb' : '0000000000000000'}$`, 'm'))
          assert.doesNotMatch(output, /escaped/)
          assert.match(output, /^works$/m)
        }
      })
    }
  }

  it('may forbid everything that a birth needs itself', async () => {
    const profile = parseProfile(JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['clone', 'clone3', 'setsid', 'ioctl', 'openat2', 'fchdir', 'capset', 'prctl', 'close_range', 'dup3', 'setresuid', 'mount', 'exit_group'], action: 'SCMP_ACT_ERRNO' }],
    }), { capabilities: [] })
    assert.ok(profile !== undefined)
    const filter = await compile(profile)
    const container = await births.start(['sleep', '100'], undefined, { filter })
    const done = await births.exec(container, (process) => ({ ...process, cwd: '/tmp', args: ['pwd'] }), { filter })
    assert.equal(done.output, '/tmp\n')
    // Also the end of a birth that fails after the filter is in force.
    assert.match((await births.exec(container, (process) => ({ ...process, args: ['/nope'] }), { filter })).failure, /no such file/)
    assert.match((await births.run(processWith({ args: ['/nope'] }), { filter })).failure, /no such file/)
    // And with a terminal.
    const birth = births.beginExec(container, (process) => ({ ...process, terminal: true, args: ['tty'] }), { terminal: { rows: 1, columns: 1 } }, { filter })
    const outcome = await born(birth)
    assert.ok(outcome.born)
    await ended(outcome.pidfd)
    closeSync(outcome.pidfd)
    closeSync(birth.master as number)
  })

  it('refuses a filter that leaves no room', async () => {
    const filter = Buffer.alloc(4095 * 8)
    for (let i = 0; i < 4095; i++) filter.writeUInt16LE(6, i * 8)
    await assert.rejects(births.run((spec) => spec, { filter }), /seccomp profile is too long/)
  })
})

describe('capabilities', () => {
  it('are ambient when the spec says so, and survive execve', async () => {
    const names = ['CAP_NET_BIND_SERVICE']
    const { output } = await births.shell('grep Cap /proc/self/status', processWith({
      user: { uid: 1000, gid: 1000, additionalGids: [] },
      capabilities: { bounding: names, effective: names, permitted: names, inheritable: names, ambient: names },
    }))
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(output, new RegExp(`Cap${set}:\t0000000000000400`))
  })

  it('can be none at all', async () => {
    const { output } = await births.shell('grep Cap /proc/self/status', processWith({ capabilities: capabilitySets([]) }))
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(output, new RegExp(`Cap${set}:\t0000000000000000`))
  })
})

describe('the root', () => {
  it('is read-only when asked, with writable places in it', async () => {
    const { output } = await births.shell('touch /file; touch /tmp/file && echo tmp; touch /dev/shm/file && echo shm; touch /etc/x', (spec) =>
      mounting({ type: 'tmpfs', source: 'tmpfs', destination: '/tmp', options: ['nosuid', 'nodev', 'mode=1777', 'size=64k'] })({ ...spec, root: { ...spec.root, readonly: true } }))
    assert.match(output, /touch: \/file: Read-only file system/)
    assert.match(output, /touch: \/etc\/x: Read-only file system/)
    assert.match(output, /^tmp$/m)
    assert.match(output, /^shm$/m)
    assert.ok(!existsSync(join(births.root, 'file')))
  })

  it('gets the working directory, also in a volume', async () => {
    const volume = directory('workdir-volume')
    const { output, failure } = await births.shell('pwd', (spec) => mounting(bind(volume, '/data'))(processWith({ cwd: '/data/sub/directory' })(spec)))
    assert.equal(failure, '')
    assert.equal(output, '/data/sub/directory\n')
    assert.ok(existsSync(join(volume, 'sub/directory')))
  })

  it('does not get a working directory where a file is', async () => {
    const { failure } = await births.shell('pwd', processWith({ cwd: '/etc/passwd' }))
    assert.match(failure, /not a directory/)
    await assert.rejects(births.shell('pwd', processWith({ cwd: 'relative' })), { message: 'Cwd must be an absolute path' })
  })

  it('is judged by the user\'s rights at the working directory', async () => {
    mkdirSync(join(births.root, 'private'), { mode: 0o700 })
    const { failure } = await births.shell('pwd', processWith({ cwd: '/private', user: { uid: 1000, gid: 1000, additionalGids: [] } }))
    rmSync(join(births.root, 'private'), { recursive: true })
    assert.equal(failure, 'chdir to cwd ("/private") set in config.json failed: permission denied')
  })
})

describe('mounts', () => {
  it('are read-only alone or with all below, and propagate as asked', async () => {
    const source = directory('source')
    const shared = directory('shared')
    mount('test', source, 'tmpfs', 0, '')
    makePrivate(source)
    mkdirSync(join(source, 'below'))
    mount('test', join(source, 'below'), 'tmpfs', 0, '')
    mount('test', shared, 'tmpfs', 0, '')
    mount('none', shared, '', Propagation.PRIVATE, '')
    mount('none', shared, '', Propagation.SHARED, '')
    mkdirSync(join(shared, 'later'))
    try {
      const container = await births.start(['sleep', '100'], mounting(
        bind(source, '/ro', 'ro'), bind(source, '/rro', 'ro', 'rro'), bind(source, '/rw', 'nosuid', 'noexec'),
        bind(shared, '/slave', 'rslave'), bind(shared, '/private', 'rprivate'), bind(shared, '/shared', 'rshared'),
      ))
      const options = (path: string): string => mountAt(container.pid, path).split(' ')[5] ?? ''
      assert.match(options('/ro'), /^ro/)
      assert.match(options('/ro/below'), /^rw/)
      assert.match(options('/rro'), /^ro/)
      assert.match(options('/rro/below'), /^ro/)
      assert.match(options('/rw'), /^rw,nosuid,noexec/)
      assert.match(mountAt(container.pid, '/slave'), / master:\d+ - /)
      assert.match(mountAt(container.pid, '/shared'), / shared:\d+ /)
      assert.doesNotMatch(mountAt(container.pid, '/private'), /shared|master/)
      bindMount('/etc', join(shared, 'later'))
      const { output } = await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', 'for d in slave private shared; do ls /$d/later | grep -c hostname; done'] }))
      assert.equal(output, '1\n0\n1\n')
      unmount(join(shared, 'later'), MNT_DETACH)
    } finally {
      for (const path of [join(shared, 'later'), shared, join(source, 'below'), source]) unmount(path, MNT_DETACH)
    }
  })

  it('lie over files, and make what is missing', async () => {
    const file = join(births.directory, 'resolv.conf')
    writeFileSync(file, 'nameserver 192.0.2.1\n')
    const { output, failure } = await births.shell('cat /etc/resolv.conf /new/place/file', mounting(bind(file, '/etc/resolv.conf'), bind(file, '/new/place/file', 'ro')))
    assert.equal(failure, '')
    assert.equal(output, 'nameserver 192.0.2.1\n'.repeat(2))
  })

  it('make what a link of the image leads to', async () => {
    mkdirSync(join(births.root, 'var/deep'), { recursive: true })
    symlinkSync('/missing/run', join(births.root, 'var/run'))
    symlinkSync('../../other', join(births.root, 'var/deep/link'))
    const file = join(births.directory, 'socket')
    writeFileSync(file, 'content')
    const { output, failure } = await births.shell('cat /missing/run/docker.sock /other/sub/file', mounting(bind(file, '/var/run/docker.sock'), bind(file, '/var/deep/link/sub/file')))
    for (const name of ['var/run', 'missing', 'other', 'var/deep']) rmSync(join(births.root, name), { recursive: true })
    assert.equal(failure, '')
    assert.equal(output, 'contentcontent')
  })

  it('of a directory onto a file, or a file onto a directory, fail and say which', async () => {
    const { failure, outcome } = await births.shell('true', mounting(bind(directory('a-directory'), '/etc/passwd')))
    assert.match(failure, /^error mounting ".*a-directory" to rootfs at "\/etc\/passwd": not a directory$/)
    assert.equal(!outcome.born && outcome.failure.errno, 20)
    assert.match((await births.shell('true', mounting(bind('/etc/passwd', '/etc')))).failure, /^error mounting "\/etc\/passwd" to rootfs at "\/etc": not a directory$/)
    await assert.rejects(births.shell('true', mounting(bind('/no/such/source', '/x'))), /error mounting "\/no\/such\/source" to rootfs at "\/x": open source: no such file or directory/)
  })

  it('may be hundreds', async () => {
    const source = directory('many')
    const many = Array.from({ length: 500 }, (_, i) => bind(source, `/mnt/deep/directory/${i}`, 'ro'))
    const { output, failure } = await births.shell('grep -c /mnt/deep /proc/self/mountinfo', mounting(...many))
    rmSync(join(births.root, 'mnt'), { recursive: true })
    assert.equal(failure, '')
    assert.equal(output, '500\n')
  })

  it('are in the order of the spec: what comes later lies on top', async () => {
    const [one, two] = [directory('one'), directory('two')]
    writeFileSync(join(one, 'one'), '')
    writeFileSync(join(two, 'two'), '')
    const { output } = await births.shell('ls /place /place/inner', mounting(bind(one, '/place'), bind(two, '/place/inner'), bind(two, '/place/inner')))
    assert.equal(output, '/place:\ninner\none\n\n/place/inner:\ntwo\n')
  })
})

describe('/dev', () => {
  it('is left alone when it is the host\'s', async () => {
    const before = readdirSync('/dev').sort()
    const rebound: Change<OciSpec> = (spec) => ({
      ...spec,
      mounts: [...spec.mounts.filter(({ destination }) => !destination.startsWith('/dev')), bind('/dev', '/dev', 'rprivate')],
      linux: { ...spec.linux, resources: {}, devices: [{ path: '/dev/null', type: 'c', major: 1, minor: 3, uid: 12345, gid: 12345 }, { path: '/dev/engine-test', type: 'c', major: 1, minor: 3 }] },
    })
    const { output, failure } = await births.shell('ls -ld /dev/null /dev/pts', rebound)
    assert.equal(failure, '')
    assert.match(output, /crw-rw-rw-.*\/dev\/null/)
    assert.deepEqual(readdirSync('/dev').sort(), before)
    assert.equal(statSync('/dev/null').uid, 0)
    const birth = createProcess(births.spec((spec) => rebound(processWith({ terminal: true, args: ['tty'] })(spec))), { terminal: { rows: 0, columns: 0 } }, {})
    const outcome = await born(birth)
    assert.ok(outcome.born, JSON.stringify(outcome))
    assert.equal((await ended(outcome.pidfd)).signal, undefined)
    closeSync(outcome.pidfd)
    closeSync(birth.master as number)
    assert.deepEqual(readdirSync('/dev').sort(), before)
  })

  it('has devices with owner and mode, also below directories, and a bind over a node', async () => {
    const { output, failure } = await births.shell('ls -ln /dev/sub/dir/full /dev/disk; head -c 2 /dev/zero | wc -c; cat /dev/random', (spec) =>
      mounting(bind('/dev/null', '/dev/random'))({
        ...spec,
        linux: { ...spec.linux, devices: [{ path: '/dev/sub/dir/full', type: 'c', major: 1, minor: 7, fileMode: 0o640, uid: 5, gid: 6 }, { path: '/dev/disk', type: 'b', major: 259, minor: 1_048_575, fileMode: 0o600 }] },
      }))
    assert.equal(failure, '')
    assert.match(output, /^crw-r-----\s+1 5\s+6\s+1,\s+7 .*full$/m)
    assert.match(output, /^brw-------\s+1 0\s+0\s+259, 1048575 .*disk$/m)
    assert.match(output, /^2$/m)
    for (const device of [{ major: 4096, minor: 0 }, { major: 1, minor: 1 << 20 }, { major: -1, minor: 0 }]) {
      await assert.rejects(births.run((spec) => ({ ...spec, linux: { ...spec.linux, devices: [{ path: '/dev/x', type: 'c', ...device }] } })), /invalid device number/)
    }
  })
})

describe('masked and read-only paths', () => {
  it('are empty and cannot be written; what is not there is passed over', async () => {
    mkdirSync(join(births.root, 'secret/deep'), { recursive: true })
    writeFileSync(join(births.root, 'secret/file'), 'secret')
    writeFileSync(join(births.root, 'secret-file'), 'secret')
    symlinkSync('secret', join(births.root, 'secret-link'))
    const { output, failure } = await births.shell('ls /secret /secret-link /sys/firmware; cat /secret-file; touch /secret/new; touch /bin/new; echo done', (spec) => ({
      ...spec,
      linux: { ...spec.linux, maskedPaths: ['/secret', '/secret-file', '/sys/firmware', '/no/such/path', '/secret-file/below'], readonlyPaths: ['/bin', '/nothing/here'] },
    }))
    for (const name of ['secret', 'secret-file', 'secret-link']) rmSync(join(births.root, name), { recursive: true })
    assert.equal(failure, '')
    assert.doesNotMatch(output, /deep|^secret$/m)
    assert.match(output, /touch: \/secret\/new: Read-only file system/)
    assert.match(output, /touch: \/bin\/new: Read-only file system/)
    assert.match(output, /done\n$/)
  })
})
