import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openRoot } from '@engine/linux/paths'
import { resolveUser, type ReadRootFile } from './users.ts'

const passwd = `root:x:0:0:root:/root:/bin/sh
www:x:33:33:www:/var/www:/bin/sh
1001:x:55:55::/trap:/bin/sh
#odd:x:9:9::/:/bin/sh
bad:x:abc:7::/h:/bin/sh
huge:x:4294967296:1::/:/bin/sh
toor:x:0:0::/toor:/bin/sh
`
const group = `root:x:0:
www:x:33:
staff:x:50:www,foo
audio:x:29:www
1001:x:0:
`
const files: ReadRootFile = (path) => ({ '/etc/passwd': passwd, '/etc/group': group })[path]
const none: ReadRootFile = () => undefined

/** uid, gid, further groups, home: as Docker gave them for the same files. */
const cases: readonly (readonly [spec: string, groups: readonly string[], uid: number, gid: number, additional: readonly number[], home: string])[] = [
  ['', [], 0, 0, [], '/root'],
  ['root', [], 0, 0, [], '/root'],
  ['www', [], 33, 33, [50, 29], '/var/www'],
  ['www', ['audio', '77'], 33, 33, [50, 29, 77], '/var/www'],
  ['33', ['29'], 33, 33, [50, 29], '/var/www'],
  ['www:audio', ['staff'], 33, 29, [50], '/var/www'],
  ['33:staff', [], 33, 50, [], '/var/www'],
  ['77', [], 77, 0, [], '/'],
  [':33', [], 0, 33, [], '/root'],
  ['1001', [], 1001, 0, [], '/'],
  ['1001:1001', [], 1001, 1001, [], '/'],
  ['toor', [], 0, 0, [], '/root'],
  ['#odd', [], 9, 9, [], '/'],
  ['bad', [], 0, 7, [], '/root'],
]

describe('resolveUser', () => {
  for (const [spec, groups, uid, gid, additionalGids, home] of cases) {
    it(`takes ${JSON.stringify(spec)} with ${JSON.stringify(groups)}`, () => {
      assert.deepEqual(resolveUser(files, spec, groups), { user: { uid, gid, additionalGids }, home })
    })
  }

  for (const [spec, groups, message] of [
    ['nobody', [], 'unable to find user nobody: no matching entries in passwd file'],
    ['33:nogrp', [], 'unable to find group nogrp: no matching entries in group file'],
    ['33', ['nope'], 'unable to find group nope: no matching entries in group file'],
    ['a:b:c', [], 'unable to find user a: no matching entries in passwd file'],
    ['-1', [], 'uids and gids must be in range 0-2147483647'],
    ['4294967296', [], 'uids and gids must be in range 0-2147483647'],
    ['99999999999999999999999999', [], 'uids and gids must be in range 0-2147483647'],
    ['www:99999999999', [], 'uids and gids must be in range 0-2147483647'],
    ['0', ['99999999999'], 'uids and gids must be in range 0-2147483647'],
    ['huge', [], 'uids and gids must be in range 0-2147483647'],
  ] as const) {
    it(`refuses ${JSON.stringify(spec)} with ${JSON.stringify(groups)}`, () => {
      assert.throws(() => resolveUser(files, spec, groups), { message, code: 'invalid-argument' })
    })
  }

  it('needs no files for numbers', () => {
    assert.deepEqual(resolveUser(none, '5:6', ['7']), { user: { uid: 5, gid: 6, additionalGids: [7] }, home: '/' })
    assert.throws(() => resolveUser(none, 'www', []), /no matching entries in passwd file/)
  })

  it('passes over a line that is absurdly long', () => {
    const read: ReadRootFile = (path) => (path === '/etc/group' ? `many:x:5:${'www,'.repeat(100_000)}\nstaff:x:50:www\n` : passwd)
    assert.deepEqual(resolveUser(read, 'www', []).user.additionalGids, [50])
  })
})

describe('resolveUser in a root directory', () => {
  const withRoot = (work: (directory: string, rootFd: number) => void): void => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-users-'))
    try {
      mkdirSync(join(directory, 'etc'))
      using root = openRoot(directory)
      work(directory, root.fd)
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  it('reads the root\'s own files, through links that stay inside', () => {
    withRoot((directory, root) => {
      writeFileSync(join(directory, 'real'), passwd)
      symlinkSync('/real', join(directory, 'etc/passwd'))
      assert.equal(resolveUser(root, 'www', []).user.uid, 33)
    })
  })

  it('does not follow a link to the host\'s', () => {
    withRoot((directory, root) => {
      symlinkSync('../../../../../../../../../../etc/passwd', join(directory, 'etc/passwd'))
      assert.throws(() => resolveUser(root, 'daemon', []), /no matching entries in passwd file/)
    })
  })

  it('does not wait for a FIFO, nor read what is too large', () => {
    withRoot((directory, root) => {
      execFileSync('mkfifo', [join(directory, 'etc/passwd')])
      assert.throws(() => resolveUser(root, 'www', []), { code: 'invalid-argument' })
      rmSync(join(directory, 'etc/passwd'))
      writeFileSync(join(directory, 'etc/passwd'), Buffer.alloc(9 << 20, 'x'))
      assert.throws(() => resolveUser(root, 'www', []), /larger than/)
    })
  })
})
