import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'

const MiB = 1024 * 1024
const amount = 48 * MiB
/** mkfs.xfs makes none smaller; the file has holes. */
const diskBytes = 320 * MiB

let directory = ''
let disk = ''
let daemon: TestDaemon | undefined

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'engine-reflink-'))
  disk = join(directory, 'disk')
  writeFileSync(join(directory, 'image'), '')
  truncateSync(join(directory, 'image'), diskBytes)
  execFileSync('mkfs.xfs', ['-q', join(directory, 'image')])
  mkdirSync(disk)
  execFileSync('mount', ['-o', 'loop', join(directory, 'image'), disk])
  daemon = await startDaemon({ 'data-root': join(disk, 'data') })
})

after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  execFileSync('umount', [disk])
  rmSync(directory, { recursive: true })
})

/** Bytes in use on the disk, when all is written. */
function used(): number {
  execFileSync('sync', ['-f', disk])
  return Number(execFileSync('df', ['--output=used', '-B1', disk], { encoding: 'utf8' }).split('\n')[1])
}

async function mountpoint(name: string): Promise<string> {
  const { body } = (await daemon?.api('GET', `/volumes/${name}`)) ?? {}
  return (body as { Mountpoint: string }).Mountpoint
}

describe('a clone of a volume where the file system can share blocks', { skip: !existsSync('/dev/loop-control') && 'no loop devices here' }, () => {
  it('takes no room, and is a volume of its own', async () => {
    await daemon?.api('POST', '/volumes/create', { Name: 'source' })
    const source = await mountpoint('source')
    execFileSync('dd', ['if=/dev/urandom', `of=${join(source, 'data')}`, 'bs=1M', `count=${amount / MiB}`, 'status=none'])
    const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
    const before = used()
    const cloned = await daemon?.api('POST', '/volumes/source/clone', { Name: 'clone' })
    assert.equal(cloned?.status, 201, cloned?.text)
    assert.ok(used() - before < amount / 4, `${used() - before} bytes more`)
    const clone = await mountpoint('clone')
    assert.equal(digest(join(clone, 'data')), digest(join(source, 'data')))
    assert.match(execFileSync('filefrag', ['-v', join(clone, 'data')], { encoding: 'utf8' }), /shared/)
    const whole = digest(join(source, 'data'))
    writeFileSync(join(clone, 'data'), 'other', { flag: 'r+' })
    assert.equal(digest(join(source, 'data')), whole)
    for (const name of ['clone', 'source']) assert.equal((await daemon?.api('DELETE', `/volumes/${name}`))?.status, 204)
  })
})
