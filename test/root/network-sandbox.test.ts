import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { failedWith, Errno, setTracer, type SyscallRecord } from '@engine/linux'
import { inNetworkNamespace } from '@engine/linux/setns'
import { inNewNetworkNamespace, primeThreads } from '@engine/linux/unshare'
import { createSandbox, listMountedSandboxes, listSandboxes, removeSandbox } from '@engine/network'
import { inSandbox, mountsBelow, namespacesOfThreads } from '../harness/network-host.ts'

let directory = ''

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-netns-'))
})

after(() => {
  for (const name of listSandboxes(directory)) removeSandbox(join(directory, name))
  rmSync(directory, { recursive: true })
})

describe('a sandbox', () => {
  it('is a network namespace with nothing but a loopback that is up', async () => {
    const path = join(directory, 'alone')
    await createSandbox(path)
    assert.match(inSandbox(path, 'ip -brief address'), /^lo +UNKNOWN +127\.0\.0\.1\/8 ::1\/128 *\n$/)
    assert.equal(inSandbox(path, 'ip route; ip -6 route'), '')
    assert.notEqual(inSandbox(path, 'readlink /proc/self/ns/net').trim(), readlinkSync('/proc/self/ns/net'))
    assert.deepEqual(listMountedSandboxes(directory), ['alone'])
    removeSandbox(path)
    assert.deepEqual(mountsBelow(directory), [])
    assert.deepEqual(readdirSync(directory), [])
  })

  it('can be removed twice, and when a crash left half of it', async () => {
    const path = join(directory, 'twice')
    await createSandbox(path)
    removeSandbox(path)
    removeSandbox(path)
    writeFileSync(path, '')
    assert.deepEqual(listSandboxes(directory), ['twice'])
    assert.deepEqual(listMountedSandboxes(directory), [])
    removeSandbox(path)
    assert.deepEqual(listSandboxes(directory), [])
    await createSandbox(path)
    execFileSync('mount', ['--bind', '/proc/self/ns/net', path])
    removeSandbox(path)
    assert.deepEqual(mountsBelow(directory), [])
  })

  it('does not take the place of another', async () => {
    const path = join(directory, 'taken')
    await createSandbox(path)
    const inode = statSync(path).ino
    await assert.rejects(createSandbox(path), { code: 'conflict' })
    assert.equal(statSync(path).ino, inode)
    removeSandbox(path)
  })

  it('is made beside 300 others, and no thread of ours stays in one', async () => {
    const home = readlinkSync('/proc/thread-self/ns/net')
    const paths = Array.from({ length: 300 }, (_, index) => join(directory, `many-${index}`))
    // Asynchronous file accesses meanwhile: their threads must not be made inside a window.
    await Promise.all([...paths.map((path) => createSandbox(path)), ...paths.map(() => readFile('/proc/self/stat')), ...paths.map(() => stat('/'))])
    assert.equal(new Set(paths.map((path) => statSync(path).ino)).size, 300)
    assert.equal(listMountedSandboxes(directory).length, 300)
    assert.deepEqual([...namespacesOfThreads()], [home])
    for (const path of paths) removeSandbox(path)
    assert.deepEqual(mountsBelow(directory), [])
  })

  it('shows in the ledger what was done for it', async () => {
    const records: SyscallRecord[] = []
    const path = join(directory, 'traced')
    setTracer((record) => records.push(record))
    await createSandbox(path)
    removeSandbox(path)
    setTracer(undefined)
    const calls = records.map(({ call }) => call).filter((call) => call !== 'setsockopt')
    assert.deepEqual(calls, ['unshare', 'socket', 'netlink RTM_NEWLINK', 'mount', 'setns', 'umount2', 'umount2'])
    assert.deepEqual(records.find(({ call }) => call === 'netlink RTM_NEWLINK')?.args, { index: 1, up: true })
  })
})

describe('a namespace window', () => {
  it('ends when its work fails', async () => {
    await primeThreads()
    const home = readlinkSync('/proc/thread-self/ns/net')
    assert.throws(() => inNewNetworkNamespace(() => {
      assert.notEqual(readlinkSync('/proc/thread-self/ns/net'), home)
      throw new Error('work failed')
    }), /work failed/)
    assert.equal(readlinkSync('/proc/thread-self/ns/net'), home)
  })

  it('takes no asynchronous work', async () => {
    await primeThreads()
    const home = readlinkSync('/proc/thread-self/ns/net')
    assert.throws(() => inNewNetworkNamespace(() => Promise.resolve()), TypeError)
    assert.equal(readlinkSync('/proc/thread-self/ns/net'), home)
  })

  it('says what it could not enter', () => {
    const home = readlinkSync('/proc/thread-self/ns/net')
    assert.throws(() => inNetworkNamespace(-1, () => 0), (error) => failedWith(error, Errno.EBADF))
    assert.equal(readlinkSync('/proc/thread-self/ns/net'), home)
  })
})
