import assert from 'node:assert/strict'
import { test } from 'node:test'
import { baseName, cleanPath, hasWildcards, joinPath, matchPath } from './filepath.ts'

/** Go's own cases of filepath.Match, and some more. */
const matches: readonly (readonly [string, string, boolean | 'error'])[] = [
  ['abc', 'abc', true], ['*', 'abc', true], ['*c', 'abc', true], ['a*', 'a', true], ['a*', 'abc', true], ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true], ['a*/b', 'a/c/b', false], ['a*b*c*d*e*/f', 'axbxcxdxe/f', true], ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false], ['a*b?c*x', 'abxbbxdbxebxczzx', true], ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true], ['ab[b-d]', 'abc', true], ['ab[e-g]', 'abc', false], ['ab[^c]', 'abc', false], ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true], ['a\\*b', 'a*b', true], ['a\\*b', 'ab', false], ['a?b', 'a☺b', true], ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false], ['[a-ζ]*', 'α', true], ['*[a-ζ]', 'A', false], ['a?b', 'a/b', false], ['a*b', 'a/b', false],
  ['[\\]a]', ']', true], ['[\\-]', '-', true], ['[x\\-]', 'x', true], ['[x\\-]', '-', true], ['[\\-x]', 'a', false],
  ['[]a]', ']', 'error'], ['[-]', '-', 'error'], ['[x-]', 'x', 'error'], ['[-x]', 'x', 'error'], ['\\', 'a', 'error'], ['[a-b-c]', 'a', 'error'],
  ['[', 'a', 'error'], ['[^', 'a', 'error'], ['[^bc', 'a', 'error'], ['a[', 'ab', 'error'], ['*x', 'xxx', true], ['*.txt', 'a\n.txt', true],
  ['a.c', 'abc', false], ['a+(b)|$', 'a+(b)|$', true], ['', '', true], ['[b-a]', 'a', false],
]

for (const [pattern, path, expected] of matches) {
  test(`${pattern} and ${JSON.stringify(path)}: ${expected}`, () => {
    if (expected === 'error') assert.throws(() => matchPath(pattern, path), { message: 'syntax error in pattern' })
    else assert.equal(matchPath(pattern, path), expected)
  })
}

test('paths are cleaned as Go does', () => {
  const cleaned = { '': '.', '.': '.', '/': '/', 'a//b/': 'a/b', './a': 'a', 'a/../../b': '../b', '/../a': '/a', 'a/./b/..': 'a', '..': '..' }
  for (const [path, expected] of Object.entries(cleaned)) assert.equal(cleanPath(path), expected, path)
  assert.equal(joinPath('/', 'w', '../x/'), '/x')
  assert.equal(joinPath('', ''), '')
  assert.deepEqual(['', '/', 'a/b', 'a/b//', 'c'].map(baseName), ['.', '/', 'b', 'b', 'c'])
})

test('wildcards are told from escaped ones', () => {
  assert.deepEqual(['a*', 'a?', 'a[b]', 'a\\*', 'a]', 'a\\\\*'].map(hasWildcards), [true, true, true, false, false, true])
})
