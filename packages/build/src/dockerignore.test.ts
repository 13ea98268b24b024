import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IgnoreMatcher, readDockerignore } from './dockerignore.ts'

test('a file is read by lines', () => {
  const text = '\ufeff# comment\n\n  a  \r\n/b/\n./c/../d\n! /e\n #f\n/\n!\n'
  assert.deepEqual(readDockerignore(text), ['a', 'b', 'd', '!e', '#f', '/', '!'])
})

/** Patterns, and what of these paths they ignore; most from Docker's own cases. */
const table: readonly (readonly [readonly string[], string, boolean])[] = [
  [['**'], 'file', true], [['**'], 'file/', true], [['**/'], 'file', true], [['**'], '/', true], [['**/'], 'dir/file', true],
  [['**/**'], 'dir/file', true], [['dir/**'], 'dir/file', true], [['dir/**'], 'dir/dir2/file', true], [['dir/**'], 'dir', false],
  [['**/dir'], 'dir/file', true], [['**/dir2/*'], 'dir/dir2/file', true], [['**/dir2/**'], 'dir/dir2/dir2/file', true],
  [['**file'], 'file', true], [['**file'], 'dir/file', true], [['**/file'], 'dir/file', true], [['**/file'], 'dir/dir/file', true],
  [['**file'], 'dirfile', true], [['**/file'], 'dirfile', false], [['**/file*'], 'dir/dir/file.txt', true], [['**/file*txt'], 'dir/dir/file.txt', true],
  [['**/**/*.txt'], 'dir/dir/file.txt', true], [['**/**/*.txt2'], 'dir/dir/file.txt', false], [['**/*.txt'], 'file.txt', true],
  [['a**/*.txt'], 'a/file.txt', true], [['a**/*.txt'], 'a/dir/dir/file.txt', true], [['a[b-d]e'], 'ace', true], [['a[b-d]e'], 'aae', false],
  [['a.b'], 'acb', false], [['.a'], 'b.a', false], [['abc.def'], 'abcZdef', false], [['abc?def'], 'abcZdef', true], [['a\\*b'], 'a*b', true],
  [['**/foo/bar'], 'foo/bar', true], [['**/foo/bar'], 'dir/foo/bar', true], [['abc/**'], 'abc/def/ghi', true], [['**/.foo'], 'bar.foo', false],
  [['*.txt', '!keep.txt'], 'a.txt', true], [['*.txt', '!keep.txt'], 'keep.txt', false], [['!keep.txt', '*.txt'], 'keep.txt', true],
  [['docs', '!docs/README.md'], 'docs/README.md', false], [['docs', '!docs/README.md'], 'docs/other', true], [['docs', '!docs/README.md'], 'docs', true],
  [['*', '!src', 'src/secret'], 'src/a', false], [['*', '!src', 'src/secret'], 'src/secret/key', true], [['*', '!src'], 'other', true],
  [['a b'], 'a b', true], [['util/docker/web'], 'util/docker/web/foo', true], [['util/**', '!util/docker/web'], 'util/docker/web/foo', false],
  [['**/node_modules'], 'x/node_modules/y/z', true], [['node_modules'], 'x/node_modules', false], [['  a '], 'a', true],
  [['a', '!a', 'a'], 'a', true],
]

for (const [patterns, path, ignored] of table) {
  test(`${patterns.join(' ')} ${ignored ? 'ignores' : 'keeps'} ${path}`, () => assert.equal(new IgnoreMatcher(patterns).ignores(path), ignored))
}

test('bad patterns are refused', () => {
  assert.throws(() => new IgnoreMatcher(['!']), { message: 'illegal exclusion pattern: "!"' })
  assert.throws(() => new IgnoreMatcher(['a[']), { message: 'syntax error in pattern' })
})

test('a hostile pattern takes no longer than a friendly one', () => {
  const started = performance.now()
  const path = `${'a'.repeat(250)}/${'a'.repeat(250)}`
  assert.equal(new IgnoreMatcher([`${'*a'.repeat(60)}*b/**/${'*a'.repeat(60)}b`]).ignores(path), false)
  assert.equal(new IgnoreMatcher([`${'**/a'.repeat(60)}b`]).ignores(path), false)
  assert.ok(performance.now() - started < 2000)
})
