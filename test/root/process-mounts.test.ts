import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Propagation } from '@engine/linux/mount-api'
import { bindMount, makePrivate, mount } from '@engine/linux/mount'
import { MNT_DETACH, unmount } from '@engine/linux/unmount'
import { createProcess, type OciSpec } from '@engine/runtime'
import { born, ended, TestBirths, type Change } from '../harness/birth.ts'
import { bind, mounting, processWith } from '../harness/spec-changes.ts'

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
const mountsOf = (pid: number): string[] => readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n')
const mountAt = (pid: number, path: string): string => mountsOf(pid).findLast((line) => line.split(' ')[4] === path) ?? ''

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
