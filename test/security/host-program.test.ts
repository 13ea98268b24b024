import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { BirthError } from '@engine/runtime'
import { TestShim } from '../harness/shim.ts'

/*
 * CVE-2019-5736: a container whose program is /proc/self/exe, or a script with that interpreter, made the host run its own runtime
 * inside the container, whence its file could be opened for writing. The runtime's program is Node: whoever overwrote it would be
 * root on the host at the next start.
 */

let shim: TestShim
before(async () => {
  shim = await TestShim.start()
})
after(() => shim[Symbol.asyncDispose]())

const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

describe('CVE-2019-5736: the program that gives birth to containers', () => {
  it('is not what /proc/self/exe leads to', async () => {
    for (const args of [['/proc/self/exe', '--version'], ['/proc/thread-self/exe'], ['/proc/1/exe']]) {
      await assert.rejects(shim.run(args), (error) => error instanceof BirthError && /exec format error|permission denied/.test(error.message), args.join(' '))
    }
  })

  it('is not the interpreter of a script in the image, neither for a container nor for an exec', async () => {
    writeFileSync(join(shim.root, 'bin/evil'), '#!/proc/self/exe\n', { mode: 0o755 })
    await assert.rejects(shim.run(['/bin/evil']), BirthError)
    const container = await shim.run(['sleep', '100'])
    await assert.rejects(shim.exec(container, ['/bin/evil']), BirthError)
    await assert.rejects(shim.exec(container, ['/proc/self/exe']), BirthError)
  })

  it('runs from a mount that nobody can write to, not even root on the host', () => {
    const exe = `/proc/${shim.pid}/exe`
    assert.equal(statSync(exe).ino, statSync(process.execPath).ino)
    // ETXTBSY is what holds as long as any Node runs; the mount's own flag holds when none does.
    assert.throws(() => writeFileSync(exe, 'overwritten', { flag: 'r+' }), (error: NodeJS.ErrnoException) => error.code === 'EROFS' || error.code === 'ETXTBSY')
    const fd = openSync(exe, 'r')
    const mount = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    closeSync(fd)
    const line = readFileSync(`/proc/${shim.pid}/mountinfo`, 'utf8').split('\n').find((row) => row.startsWith(`${mount} `))
    assert.match(line ?? '', /^\d+ \d+ \S+ \S+ \S+ ro,nosuid,nodev/)
  })

  it('is as it was after a container has done its best', async () => {
    const before = digest(process.execPath)
    // The container tries each process that it ever sees, while execs come and go.
    const container = await shim.run(['sh', '-c', 'while :; do for p in /proc/[0-9]*; do echo x 2>/dev/null > $p/exe; done; done'])
    for (let i = 0; i < 8; i++) await shim.exec(container, ['true'])
    assert.equal(digest(process.execPath), before)
  })
})
