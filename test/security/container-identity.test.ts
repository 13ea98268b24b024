import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { capabilityNames, capabilitySets, resolveCapabilities, resolveUser } from '@engine/runtime'
import { openRoot } from '@engine/linux/paths'

describe('CVE-2022-24769: inheritable capabilities', () => {
  it('are none, whatever was asked for', () => {
    for (const privileged of [false, true]) {
      const sets = capabilitySets(resolveCapabilities({ capAdd: ['ALL'], capDrop: [], privileged }, capabilityNames))
      assert.deepEqual([sets.inheritable, sets.ambient], [[], []])
    }
  })
})

describe('a hostile /etc/passwd and /etc/group', () => {
  let root = ''
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'engine-identity-'))
    mkdirSync(join(root, 'etc'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const put = (name: string, content: string | Buffer): void => writeFileSync(join(root, 'etc', name), content)
  const resolve = (spec: string, groups: readonly string[] = []): ReturnType<typeof resolveUser> => {
    using directory = openRoot(root)
    return resolveUser(directory.fd, spec, groups)
  }

  it('cannot make a number mean another user (CVE-2026-46680)', () => {
    put('passwd', '1000:x:0:0::/root:/bin/sh\n+1000:x:0:0::/root:/bin/sh\n')
    put('group', '1000:x:0:\n')
    assert.deepEqual(resolve('1000:1000', ['1000']).user, { uid: 1000, gid: 1000, additionalGids: [1000] })
    assert.equal(resolve('1000').user.uid, 1000)
    assert.equal(resolve('+1000').user.uid, 1000)
  })

  it('cannot give an id beyond what Linux has, by way of overflow', () => {
    put('passwd', 'evil:x:4294967296:4294967296::/:/bin/sh\n')
    for (const spec of ['evil', '4294967296', '18446744073709551616', '-1']) {
      assert.throws(() => resolve(spec), { message: 'uids and gids must be in range 0-2147483647' }, spec)
    }
  })

  it('cannot fill the memory (CVE-2026-47262)', () => {
    put('passwd', 'user:x:5:5::/:/bin/sh\n')
    put('group', Buffer.alloc(64 << 20, 'a:x:1:user\n'))
    assert.throws(() => resolve('user'), /larger than/)
    put('group', `${'x'.repeat(7 << 20)}\nreal:x:6:user\n`)
    assert.deepEqual(resolve('user').user.additionalGids, [6])
  })

  it('cannot be a FIFO that holds the daemon up, nor a device', () => {
    execFileSync('mkfifo', [join(root, 'etc/passwd')])
    assert.throws(() => resolve('user'), { code: 'invalid-argument' })
    rmSync(join(root, 'etc/passwd'))
    execFileSync('mknod', [join(root, 'etc/passwd'), 'c', '1', '5'])
    assert.throws(() => resolve('user'), { code: 'invalid-argument' })
  })

  it('cannot be the host\'s, by a link', () => {
    for (const target of ['/etc/passwd', '../../../../../../etc/passwd', '/proc/self/root/etc/passwd']) {
      symlinkSync(target, join(root, 'etc/passwd'))
      assert.throws(() => resolve('daemon'), /no matching entries in passwd file|too many|symbolic/, target)
      rmSync(join(root, 'etc/passwd'))
    }
  })

  it('gives a user its own groups, and with a group named only that (CVE-2022-36109, CVE-2023-25173)', () => {
    put('passwd', 'user:x:5:5::/:/bin/sh\n')
    put('group', 'one:x:6:user\ntwo:x:7:other,user\nthree:x:8:users\n')
    assert.deepEqual(resolve('user').user, { uid: 5, gid: 5, additionalGids: [6, 7] })
    assert.deepEqual(resolve('user:three').user, { uid: 5, gid: 8, additionalGids: [] })
  })
})
