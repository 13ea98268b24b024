import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { Errno, setTracer, type SyscallRecord } from '@engine/linux'
import { Nftables, NftablesError } from '@engine/linux/nftables'
import { enterPrivateHost, onHost } from '../harness/network-host.ts'

before(async () => {
  await enterPrivateHost()
})

describe('nftables', () => {
  it('applies a transaction whole or not at all', () => {
    using nftables = new Nftables()
    nftables.run('add table inet whole\nadd chain inet whole c\n')
    const before = onHost('nft list ruleset')
    assert.throws(() => nftables.run('add chain inet whole d\nadd rule inet nothing c accept\n'), (error) => error instanceof NftablesError && error.errno === Errno.ENOENT)
    assert.equal(onHost('nft list ruleset'), before)
    nftables.run('delete table inet whole\n')
    assert.equal(onHost('nft list ruleset'), '')
  })

  it('says what is wrong with a text', () => {
    using nftables = new Nftables()
    const records: SyscallRecord[] = []
    setTracer((record) => records.push(record))
    assert.throws(() => nftables.run('add tabel inet x\n'), /^NftablesError: nft: syntax error/)
    setTracer(undefined)
    assert.equal(records[0]?.call, 'nft')
    assert.equal(records[0]?.errno, 'EINVAL')
    assert.throws(() => nftables.run('add table inet x\0y'), { code: 'invalid-argument' })
    assert.equal(nftables.list('list table inet nothing'), undefined)
  })

  // libnftables waits by select(2): glibc ended the daemon, with 170 containers on networks of users' own.
  it('is there beside thousands of open descriptors, again and again', () => {
    new Nftables().close()
    const many = Array.from({ length: 3000 }, () => openSync('/dev/null', 'r'))
    try {
      for (let round = 0; round < 20; round++) {
        using first = new Nftables()
        using second = new Nftables()
        first.run('add table inet many\n')
        assert.notEqual(second.list('list table inet many'), undefined)
        second.run('delete table inet many\n')
      }
      const open = readdirSync('/proc/self/fd').length
      // More at once than there are numbers for: an error, and no end of the process.
      using all = new DisposableStack()
      assert.throws(() => {
        for (let count = 0; count < 100; count++) all.use(new Nftables()).list('list tables')
      }, { code: 'unavailable', message: /below 1024/ })
      all.dispose()
      new Nftables().close()
      assert.ok(readdirSync('/proc/self/fd').length <= open)
    } finally {
      for (const fd of many) closeSync(fd)
    }
  })

  it('cannot be used after it was closed', () => {
    const nftables = new Nftables()
    nftables.close()
    nftables.close()
    assert.throws(() => nftables.run('add table inet x'), /closed/)
    assert.throws(() => nftables.list('list tables'), /closed/)
  })

  it('says which library is missing', (t) => {
    const library = /libnftables\.so\.1 .*=> (\S+)/.exec(execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }))?.[1]
    if (library === undefined) return t.skip('ldconfig does not list libnftables')
    const code = `import { Firewall } from '@engine/network'; try { new Firewall('x') } catch (error) { console.log(JSON.stringify(error)) }`
    const output = execFileSync('unshare', ['-m', 'sh', '-c', `mount --bind /dev/null ${library} && exec "$0" --input-type=module -e "$1"`, process.execPath, code], { encoding: 'utf8', cwd: join(import.meta.dirname, '..') })
    const error = JSON.parse(output) as { code: string; message: string; hint: string }
    assert.equal(error.code, 'unavailable')
    assert.match(error.message, /^libnftables\.so\.1 is not installed/)
    assert.match(error.hint, /libnftables1/)
  })
})
