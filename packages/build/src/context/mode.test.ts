import assert from 'node:assert/strict'
import { test } from 'node:test'
import { madeDirectoryMode, parseMode } from './mode.ts'

const table: readonly (readonly [string, number, number])[] = [
  ['', 0o640, 0o640], ['755', 0o600, 0o755], ['0644', 0o777, 0o644], ['4755', 0, 0o4755], ['0', 0o777, 0], ['u=rwx,go=rx', 0, 0o755], ['a+x', 0o644, 0o755],
  ['+x', 0o600, 0o711], ['go-rwx', 0o777, 0o700], ['u+s', 0o755, 0o4755], ['g+s', 0o755, 0o2755], ['+t', 0o755, 0o1755], ['u-s', 0o4755, 0o755], ['=r', 0o6777, 0o444],
  ['g=u', 0o640, 0o660], ['a=X', 0o644, 0], ['u=rwX,g=', 0o740, 0o700], ['u+rw-x', 0o500, 0o600],
]

for (const [text, before, after] of table) {
  test(`--chmod=${text} of ${before.toString(8)}`, () => assert.equal(parseMode(text)(before, false).toString(8), after.toString(8)))
}

test('directories that are made have what a umask leaves of an octal mode', () => {
  const modes = ['', '0700', '777', '1777', '4750', 'go-rwx'].map((text) => madeDirectoryMode(text).toString(8))
  assert.deepEqual(modes, ['755', '700', '755', '755', '750', '755'])
})

test('X is for directories and what some can execute', () => {
  const mode = parseMode('a=rX')
  assert.deepEqual([mode(0o600, true), mode(0o700, false), mode(0o600, false)], [0o555, 0o555, 0o444])
})

test('other words are refused', () => {
  for (const text of ['8', '77777', 'x', 'u', 'u=q', 'u=rwx,', '-1']) assert.throws(() => parseMode(text), { code: 'invalid-argument' }, text)
})
