import assert from 'node:assert/strict'
import { chmodSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { copyFixture } from '../harness/copy-fixture.ts'

/*
 * COPY --parents. Docker 28.5 has it only in frontends that are pulled (`# syntax=docker/dockerfile:1-labs`), so that there is no engine
 * to compare with here: expected is what the Dockerfile reference shows and what BuildKit's own tests of it say
 * (frontend/dockerfile, testCopyParents, testCopyRelativeParents).
 */
const fixture = copyFixture()
const { list, put, run } = fixture

/** Paths of what is no directory, below a directory of an image. */
function files(root: string, path: string): string[] {
  return Object.entries(list(root, path)).flatMap(([name, said]) => (said.endsWith(' directory') ? [] : [name.slice(path.length + 1)])).toSorted()
}

/** The copy, and what is then below its destination. */
const context: readonly (readonly [copy: string, expected: readonly string[]])[] = [
  // The reference: without the flag files of one name take each other's place, with it they keep their directories.
  ['./x/a.txt ./y/a.txt /out/', ['a.txt']],
  ['--parents ./x/a.txt ./y/a.txt /out/', ['x/a.txt', 'y/a.txt']],
  // The reference: a pivot.
  ['--parents ./x/./y/*.txt /out/', ['y/a.txt', 'y/b.txt']],
  ['--parents ./x/./**/*.txt /out/', ['a.txt', 'y/a.txt', 'y/b.txt', 'y/z/deep.txt']],
  // Before the pivot it is one directory, as in a source without the flag.
  ['--parents x/**/./*.txt /out/', ['a.txt', 'b.txt']],
  ['--parents **/./a.txt /out/', ['a.txt']],
  // BuildKit's tests.
  ['--parents foo1/foo2/bar /out/', ['foo1/foo2/bar']],
  ['--parents foo1/foo2/ba* /out', ['foo1/foo2/bar', 'foo1/foo2/baz']],
  ['--parents packages/*/package.json apps/*/package.json /out/', ['apps/c/package.json', 'packages/a/package.json', 'packages/b/package.json']],
  // Directories, with or without a slash at their end; the destination is a directory either way.
  ['--parents x/y /out', ['x/y/a.txt', 'x/y/b.txt', 'x/y/z/deep.txt']],
  ['--parents x/y/ /out/', ['x/y/a.txt', 'x/y/b.txt', 'x/y/z/deep.txt']],
  ['--parents x/./y /out/', ['y/a.txt', 'y/b.txt', 'y/z/deep.txt']],
  ['--parents x/y/./ /out/', ['a.txt', 'b.txt', 'z/deep.txt']],
  ['--parents x/y/z/.. /out/', ['x/y/a.txt', 'x/y/b.txt', 'x/y/z/deep.txt']],
  ['--parents /x/y/a.txt ../x/a.txt /out/', ['x/a.txt', 'x/y/a.txt']],
  // Any depth, none included.
  ['--parents **/a.txt /out/', ['x/a.txt', 'x/y/a.txt', 'y/a.txt']],
  ['--parents x/**/z /out/', ['x/y/z/deep.txt']],
  ['--parents p*s/[ab]/package.jso? /out/', ['packages/a/package.json', 'packages/b/package.json']],
  ['--parents --exclude=**/b.txt --exclude=z x/./y /out/', ['y/a.txt']],
  ['--parents ["with space/one", "/out/"]', ['with space/one']],
  // A pattern that matches nothing is no mistake, as without the flag.
  ['--parents none* x/a.txt /out/', ['x/a.txt']],
]

describe('COPY --parents', () => {
  test('keeps directories, from the pivot on', async () => {
    put({
      'x/a.txt': 'xa', 'y/a.txt': 'ya', 'x/y/a.txt': 'xya', 'x/y/b.txt': 'xyb', 'x/y/z/deep.txt': 'd', 'foo1/foo2/bar': 'testing', 'foo1/foo2/baz': 'testing2',
      'packages/a/package.json': 'a', 'packages/b/package.json': 'b', 'packages/b/index.js': 'b', 'apps/c/package.json': 'c', 'with space/one': '1',
    })
    for (const [copy, expected] of context) {
      const root = await run(`FROM base\nCOPY ${copy}`)
      assert.deepEqual(files(root, 'out'), expected, copy)
    }
    assert.equal(readFileSync(join(await run('FROM base\nCOPY ./x/a.txt ./y/a.txt /out/'), 'out/a.txt'), 'utf8'), 'ya')
    await assert.rejects(run('FROM base\nCOPY --parents ./x/nope /out/'), { message: 'COPY failed: file not found in build context or excluded by .dockerignore: stat x/nope: file does not exist' })
  })

  test('keeps those of a stage, as BuildKit’s tests have them', async () => {
    put({ 'test/a/b/c/d/foo': 'foo', 'test/a/b/c/d/e/bay': 'bay', 'test/a/b2/c/d/e/bar': 'bar', 'test/a/b/c2/d/e/baz': 'baz', 'test/a/b/c2/d/e2/baz': 'baz' })
    const stage: readonly (readonly [sources: string, expected: readonly string[]])[] = [
      ['/test/a/b/./c/d', ['c/d/e/bay', 'c/d/foo']],
      ['/test/a/b/c/d/.', ['test/a/b/c/d/e/bay', 'test/a/b/c/d/foo']],
      ['./test/a/b/c/d', ['test/a/b/c/d/e/bay', 'test/a/b/c/d/foo']],
      ['/test/a/./b/./c', ['b/c/d/e/bay', 'b/c/d/foo']],
      ['/test/a/./*/c', ['b/c/d/e/bay', 'b/c/d/foo', 'b2/c/d/e/bar']],
      ['/test/a/b*/./c/**/e', ['c/d/e/bar', 'c/d/e/bay']],
      ['/test/a/b/c*/./d/**/baz /test/a/b*/./c/**/bar', ['c/d/e/bar', 'd/e/baz', 'd/e2/baz']],
    ]
    for (const [sources, expected] of stage) {
      const root = await run(`FROM base AS tree\nCOPY test /test\nFROM base\nCOPY --from=tree --parents ${sources} /out/`)
      assert.deepEqual(files(root, 'out'), expected, sources)
    }
  })

  test('makes directories as they are, follows no link out, and goes by the working directory', async () => {
    put({ 'd/e/f': 'f', 'real/g': 'g' })
    chmodSync(join(fixture.context, 'd'), 0o2750)
    chmodSync(join(fixture.context, 'd/e'), 0o700)
    symlinkSync('/etc', join(fixture.context, 'evil'))
    symlinkSync('real', join(fixture.context, 'link'))
    const root = await run('FROM base\nWORKDIR /w\nCOPY --parents d/e/f .\nCOPY --parents --chown=5:6 --chmod=640 d/e/f sub\nCOPY --parents link/g /l/')
    assert.deepEqual(list(root, 'w/d'), { 'w/d': '2750 0:0 directory', 'w/d/e': '700 0:0 directory', 'w/d/e/f': '644 0:0 f' })
    assert.equal(list(root, 'w/sub')['w/sub/d/e/f'], '640 5:6 f')
    assert.equal(lstatSync(join(root, 'w/sub/d')).uid, 5)
    assert.equal(readFileSync(join(root, 'l/link/g'), 'utf8'), 'g')
    await assert.rejects(run('FROM base\nCOPY --parents evil/passwd /x/'), /file does not exist/)
  })
})
