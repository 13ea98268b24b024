import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DetachKeyScanner, DEFAULT_DETACH_KEYS, parseDetachKeys } from './detach-keys.ts'
import { DEFAULT_LIMITS, fileLimits, logLimits } from './limits.ts'

describe('log options', () => {
  it('bound a log by default', () => {
    assert.deepEqual(logLimits({}), DEFAULT_LIMITS)
  })

  it('are read as Docker reads them', () => {
    assert.deepEqual(logLimits({ 'max-size': '10m', 'max-file': '3', compress: 'true' }), { maximumSize: 10_000_000, files: 3, compress: true })
    assert.equal(logLimits({ 'max-size': '1.5kb' }).maximumSize, 1500)
    assert.equal(logLimits({ 'max-size': '-1' }).maximumSize, Number.POSITIVE_INFINITY)
  })

  it('are refused in Docker\'s words', () => {
    const refused: readonly [Record<string, string>, string][] = [
      [{ 'max-size': 'x' }, "invalid size: 'x'"],
      [{ 'max-size': '0' }, "max-size must be a positive number: '0'"],
      [{ 'max-file': '0' }, 'max-file cannot be less than 1'],
      [{ 'max-file': 'a' }, 'strconv.Atoi: parsing "a": invalid syntax'],
      [{ compress: 'maybe' }, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
      [{ compress: 'true', 'max-file': '1' }, 'compress cannot be true when max-file is less than 2 or max-size is not set'],
    ]
    for (const [options, message] of refused) assert.throws(() => logLimits(options), { code: 'invalid-argument', message })
    const refusedLocally: readonly [Record<string, string>, string][] = [
      [{ 'max-size': '-1' }, "invalid value for max-size: -1: invalid size: '-1'"],
      [{ 'max-size': '0' }, 'max size should be a positive number'],
      [{ 'max-file': 'x' }, 'invalid value for max-file: x: strconv.Atoi: parsing "x": invalid syntax'],
      [{ 'max-file': '0' }, 'compression cannot be enabled when max file count is 1'],
      [{ 'max-file': '-1', compress: 'false' }, 'max file count cannot be less than 0'],
      [{ compress: 'x' }, 'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax'],
    ]
    for (const [options, message] of refusedLocally) assert.throws(() => fileLimits('local', options), { code: 'invalid-argument', message })
    assert.equal(fileLimits('local', { 'max-file': '0', compress: 'false' })?.files, 1)
  })
})

describe('detach keys', () => {
  it('are read as Docker reads them', () => {
    assert.deepEqual(parseDetachKeys(undefined), [16, 17])
    assert.deepEqual(parseDetachKeys(''), [16, 17])
    assert.deepEqual(parseDetachKeys('ctrl-a,x,DEL,ctrl-@,ctrl-_'), [1, 120, 127, 0, 31])
    assert.throws(() => parseDetachKeys('ctrl-zz'), { code: 'invalid-argument', message: 'Invalid detach keys (ctrl-zz) provided' })
    assert.throws(() => parseDetachKeys('ctrl-zz', 'exec'), { code: 'invalid-argument', message: 'Invalid escape keys (ctrl-zz) provided' })
  })

  it('are found across reads, and what only begins like them goes through', () => {
    const scan = (...inputs: string[]): string => {
      const scanner = new DetachKeyScanner(DEFAULT_DETACH_KEYS)
      let result = ''
      for (const input of inputs) {
        const { data, detached } = scanner.scan(Buffer.from(input))
        result += data.toString() + (detached ? '!' : '')
      }
      return result
    }
    assert.equal(scan('ab\x10\x11cd'), 'ab!')
    assert.equal(scan('ab\x10', '\x11'), 'ab!')
    assert.equal(scan('\x10', 'x', '\x10\x10\x11'), '\x10x\x10!')
    assert.equal(scan('\x11\x10'), '\x11')
  })
})
