import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readShared, rewriteShared } from './shared-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-shared-file-'))
after(() => rmSync(directory, { recursive: true }))

describe('a file that a container has too', () => {
  it('is written in place, longer and shorter', () => {
    const path = join(directory, 'hosts')
    writeFileSync(path, 'one\n')
    const { ino } = statSync(path)
    for (const content of ['one\ntwo\nthree\n', 'two\n', '']) {
      rewriteShared(path, content)
      assert.equal(readFileSync(path, 'utf8'), content)
      assert.equal(readShared(path), content)
    }
    assert.equal(statSync(path).ino, ino)
  })

  it('is not read when it is larger than any of ours', () => {
    const path = join(directory, 'large')
    writeFileSync(path, '')
    truncateSync(path, 1 << 20)
    assert.equal(readShared(path)?.length, 1 << 20)
    truncateSync(path, (1 << 20) + 1)
    assert.equal(readShared(path), undefined)
    truncateSync(path, 2 ** 42)
    assert.equal(readShared(path), undefined)
    assert.equal(readShared(join(directory, 'none')), undefined)
  })
})
