import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Errno, failedWith, setTracer, type SyscallRecord } from '@engine/linux'
import { bindMount, mount, mountPrivately } from '@engine/linux/mount'
import { openRoot, removeTree } from '@engine/linux/paths'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount, unmountInBackground } from '@engine/linux/unmount'

let directory = ''
const mounted = (path: string): number => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.split(' ')[4] === path).length

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-mount-'))
  mount('test', directory, 'tmpfs', 0, '')
  // Propagation of the machine's /tmp is none of the tests' business.
  mount('none', directory, '', 1 << 18, '')
})

after(() => {
  unmount(directory, MNT_DETACH)
  rmSync(directory, { recursive: true })
})

describe('unmounting in the background', () => {
  it('tells busy from not mounted, and leaves a busy mount alone', async () => {
    const place = join(directory, 'busy')
    mkdirSync(place)
    mount('test', place, 'tmpfs', 0, '')
    writeFileSync(join(place, 'file'), '')
    const user = openSync(join(place, 'file'), 'r')
    await assert.rejects(unmountInBackground(place, UMOUNT_NOFOLLOW), (error) => failedWith(error, Errno.EBUSY))
    assert.equal(mounted(place), 1)
    closeSync(user)
    assert.equal(await unmountInBackground(place, UMOUNT_NOFOLLOW), true)
    assert.equal(mounted(place), 0)
    assert.equal(await unmountInBackground(place, UMOUNT_NOFOLLOW), false)
    assert.equal(await unmountInBackground(join(directory, 'nowhere'), 0), false)
  })

  it('reports one call, made once', async () => {
    const place = join(directory, 'traced')
    mkdirSync(place)
    mountPrivately(place)
    const records: SyscallRecord[] = []
    const before = setTracer((record) => records.push(record))
    try {
      await unmountInBackground(place, MNT_DETACH)
      await unmountInBackground(place, MNT_DETACH)
    } finally {
      setTracer(before)
    }
    assert.deepEqual(records.map(({ call, result, errno }) => [call, result, errno]), [['umount2', 0, undefined], ['umount2', -1, 'EINVAL']])
  })
})

describe('mounts of our own', () => {
  it('take paths that are not UTF-8, and none with a NUL byte', () => {
    const file = Buffer.concat([Buffer.from(`${directory}/file-`), Buffer.from([0xff])])
    writeFileSync(file, 'content')
    writeFileSync(join(directory, 'place'), '')
    bindMount(file, join(directory, 'place'))
    assert.equal(readFileSync(join(directory, 'place'), 'utf8'), 'content')
    assert.equal(unmount(join(directory, 'place'), 0), true)
    assert.throws(() => bindMount('/tmp\0x', '/tmp'), { code: 'invalid-argument' })
  })
})

describe('removing a tree', () => {
  it('says of an immutable file that it is not permitted', (t) => {
    // tmpfs has no such flag before Linux 6.6.
    writeFileSync(join(directory, 'fixed'), '')
    try {
      execFileSync('chattr', ['+i', join(directory, 'fixed')], { stdio: 'ignore' })
    } catch {
      t.skip('no file can be made immutable here')
      return
    }
    using root = openRoot(directory)
    assert.throws(() => removeTree(root.fd, 'fixed'), (error) => failedWith(error, Errno.EPERM))
    execFileSync('chattr', ['-i', join(directory, 'fixed')])
    removeTree(root.fd, 'fixed')
  })
})
