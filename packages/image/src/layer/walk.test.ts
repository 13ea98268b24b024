import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { openRoot } from '@engine/linux/paths'
import { diffTree } from './diff.ts'
import { walkTree } from './walk.ts'

it('a tree is walked, and its tar made, while somebody takes away what is in it', () => {
  const root = mkdtempSync(join(tmpdir(), 'engine-walk-'))
  try {
    const make = (): void => {
      for (const name of ['a/b', 'c', 'd', 'e']) mkdirSync(join(root, name), { recursive: true })
      for (const name of ['a/b/file', 'c/file', 'd/file', 'z']) writeFileSync(join(root, name), 'content')
    }
    make()
    using directory = openRoot(root)
    const seen: string[] = []
    for (const { path } of walkTree(directory.fd)) {
      const name = path.join('/')
      seen.push(name)
      // Gone, or something else, before it is entered.
      if (name === 'a/b' || name === 'd') rmSync(join(root, name), { recursive: true })
      if (name === 'c') {
        rmSync(join(root, name), { recursive: true })
        symlinkSync('/', join(root, name))
      }
      if (name === 'd') writeFileSync(join(root, name), '')
    }
    assert.deepEqual(seen, ['a', 'a/b', 'c', 'd', 'e', 'z'])
    rmSync(join(root, 'c'))
    rmSync(join(root, 'd'))
    make()
    const pieces: Buffer[] = []
    for (const piece of diffTree(directory.fd, { kind: 'archive' })) {
      pieces.push(piece)
      if (piece.includes('c/\0')) rmSync(join(root, 'd'), { recursive: true })
      if (piece.includes('e/\0')) rmSync(join(root, 'z'))
    }
    const tar = Buffer.concat(pieces)
    assert.deepEqual(['a/b/file', 'c/file', 'd/file', 'e/', 'z'].map((name) => tar.includes(`${name}\0`)), [true, true, false, true, false])
  } finally {
    rmSync(root, { recursive: true })
  }
})
