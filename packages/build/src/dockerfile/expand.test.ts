import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { expandWord, expandWords, toVariables } from './expand.ts'

const data = join(import.meta.dirname, '../../../../../shared/data/dockerfile')

test("expands as BuildKit's cases say", (t) => {
  const file = join(data, 'env-expansion.txt')
  if (!existsSync(file)) return t.skip('no cases of BuildKit beside the checkout')
  const variables = toVariables(['PWD=/home', 'SHELL=bash', 'KOREAN=한국어', 'NULL='])
  let count = 0
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [platform = '', source = '', expected = ''] = line.split('|').map((part) => part.trim())
    if (line.startsWith('#') || !['A', 'U'].includes(platform)) continue
    count++
    if (expected === 'error') assert.throws(() => expandWord(source, variables), { code: 'invalid-argument' }, line)
    else assert.equal(expandWord(source, variables), expected, line)
  }
  assert.ok(count > 200)
})

test("splits as BuildKit's cases say", (t) => {
  const file = join(data, 'word-splitting.txt')
  if (!existsSync(file)) return t.skip('no cases of BuildKit beside the checkout')
  const environment: string[] = []
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line.startsWith('#') || line === '') continue
    if (line.startsWith('ENV ')) {
      environment.push(line.slice(4).trimStart())
      continue
    }
    const [source = '', expected = ''] = line.split('|').map((part, index) => (index === 0 ? part.trim() : part.trimStart()))
    const variables = toVariables(environment)
    if (expected === 'error') assert.throws(() => expandWords(source, variables), { code: 'invalid-argument' }, line)
    else assert.deepEqual(expandWords(source, variables), expected.split(','), line)
  }
})

const variables = toVariables(['a=1', 'empty=', 'path=/usr/local/lib.so.1', 'stars=a*b*c', 'later=x', 'later=y'])

const table: readonly (readonly [string, string])[] = [
  ['$a${a}x', '11x'],
  ['${later}', 'y'],
  ['${none}', ''],
  ['${none:-d}${empty:-d}${empty-d}', 'dd'],
  ['${a:+s}${empty:+s}${empty+s}${none+s}', 'ss'],
  ['${path#*/}', 'usr/local/lib.so.1'],
  ['${path##*/}', 'lib.so.1'],
  ['${path%.*}', '/usr/local/lib.so'],
  ['${path%%.*}', '/usr/local/lib'],
  ['${path#nope}', '/usr/local/lib.so.1'],
  ['${path/l/L}', '/usr/Local/lib.so.1'],
  ['${path//l/L}', '/usr/LocaL/Lib.so.1'],
  ['${path//\\//_}', '_usr_local_lib.so.1'],
  ['${path/?usr/x}', 'x/local/lib.so.1'],
  ['${path//./$}', '/usr/local/lib$so$1'],
  ['${stars#*\\*}', 'b*c'],
  ['${stars%\\**}', 'a*b'],
  ['${stars%%\\**}', 'a'],
  ['${none//a/b}', ''],
  ['${stars//\\*/-}', 'a-b-c'],
  ['${path//*/x}', 'x'],
  ['${path/l*l/x}', '/usr/xib.so.1'],
  ['${path//l?/x}', '/usr/xcaxxb.so.1'],
  ['${a//""/-}', '-1-'],
  ['${path##*[l]}', '/usr/local/lib.so.1'],
  ["'$a'", '$a'],
  ['"$a \\"q\\" \\x"', '1 "q" \\x'],
  ['\\$a', '$a'],
  ['$', '$'],
  ['$.', '$.'],
  ['${none:-${a}${none:-"q"}}', '1q'],
]

for (const [word, expected] of table) {
  test(`${word} is ${expected}`, () => assert.equal(expandWord(word, variables), expected))
}

const failures: readonly (readonly [string, string])[] = [
  ['${none?}', 'failed to process "${none?}": none: is not allowed to be unset'],
  ['${empty:?}', 'failed to process "${empty:?}": empty: is not allowed to be empty'],
  ['${none:?my words}', 'failed to process "${none:?my words}": none: my words'],
  ['${B', 'failed to process "${B": unsupported modifier (\ufffd) in substitution'],
  ['${B!x}', 'failed to process "${B!x}": unsupported modifier (!) in substitution'],
  ['${B:!x}', 'failed to process "${B:!x}": unsupported modifier (:!) in substitution'],
  ['${}', 'failed to process "${}": syntax error: bad substitution'],
  ['${', `failed to process "\${": syntax error: missing '}'`],
  ['${B:-x', `failed to process "\${B:-x": syntax error: missing '}'`],
  ['${B/x}', `failed to process "\${B/x}": syntax error: missing '/' in \${}`],
  ['${B#\\x}', String.raw`failed to process "${'${B#\\\\x}'}": invalid pattern (\x) in substitution: invalid escape '\x'`],
  ['"x', 'failed to process "\\"x": unexpected end of statement while looking for matching double-quote'],
  ["'b", `failed to process "'b": unexpected end of statement while looking for matching single-quote`],
]

for (const [word, message] of failures) {
  test(`${word} fails`, () => assert.throws(() => expandWord(word, variables), { message }))
}

test('options keep what they name', () => {
  assert.equal(expandWord('"$a" \\$a $none', variables, { skipQuotes: true }), '"1" $a ')
  assert.equal(expandWord(`"$none" 'q'`, variables, { rawQuotes: true, skipUnset: true }), `"$none" 'q'`)
  assert.equal(expandWord('C:\\x `$a', variables, { escape: '`' }), 'C:\\x $a')
  assert.deepEqual(expandWords('x\\ y "" z', variables, { rawEscapes: true }), ['x\\ y', 'z'])
})

test('a hostile pattern takes no longer than a friendly one', () => {
  const long = toVariables([`x=${'a'.repeat(20_000)}`])
  const started = performance.now()
  for (const operator of ['#', '##', '%', '%%', '/', '//']) {
    assert.equal(expandWord(`\${x${operator}${'*a'.repeat(40)}*b${operator.startsWith('/') ? '/' : ''}}`, long).length, 20_000)
  }
  assert.ok(performance.now() - started < 5000)
})
