import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hardLimits, resolveRlimits, rlimitNumber, type RlimitName } from './rlimits.ts'

const current: ReadonlyMap<RlimitName, number> = new Map([['nofile', 20_000], ['core', -1]] as const)

describe('rlimits', () => {
  it('have the kernel\'s numbers', () => {
    assert.equal(rlimitNumber('RLIMIT_NOFILE'), 7)
    assert.equal(rlimitNumber('RLIMIT_RTTIME'), 15)
    assert.throws(() => rlimitNumber('RLIMIT_FOO'), { message: 'wrong rlimit value: RLIMIT_FOO' })
  })

  it('are passed on as they are', () => {
    assert.deepEqual(resolveRlimits([{ name: 'nofile', soft: 10, hard: 20_000 }, { name: 'core', soft: 0, hard: -1 }], false, current), {
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20_000 }, { type: 'RLIMIT_CORE', soft: 0, hard: -1 }],
      warnings: [],
    })
  })

  it('that cannot be raised become what is possible, with a warning', () => {
    const { rlimits, warnings } = resolveRlimits([{ name: 'nofile', soft: 99_999, hard: 999_999 }, { name: 'nofile', soft: 5, hard: -1 }], false, current)
    assert.deepEqual(rlimits, [{ type: 'RLIMIT_NOFILE', soft: 20_000, hard: 20_000 }, { type: 'RLIMIT_NOFILE', soft: 5, hard: 20_000 }])
    assert.equal(warnings[0], 'ulimit nofile: this host does not let the hard limit be raised to 999999; it is 20000')
    assert.match(warnings[1] ?? '', /raised to unlimited; it is 20000/)
  })

  it('may be raised with CAP_SYS_RESOURCE', () => {
    assert.deepEqual(resolveRlimits([{ name: 'nofile', soft: 1, hard: 999_999 }], true, current).rlimits, [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 999_999 }])
  })

  it('that make no sense are refused', () => {
    assert.throws(() => resolveRlimits([{ name: 'foo', soft: 1, hard: 1 }], true, current), { message: 'wrong rlimit value: RLIMIT_FOO' })
    assert.throws(() => resolveRlimits([{ name: 'nofile', soft: 10, hard: 5 }], true, current), { message: 'ulimit soft limit must be less than or equal to hard limit: 10 > 5' })
    assert.throws(() => resolveRlimits([{ name: 'nofile', soft: -1, hard: 5 }], true, current), { code: 'invalid-argument' })
  })

  it('are read from the kernel\'s table', () => {
    const limits = hardLimits('Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 20000                files     \nMax cpu time              unlimited            unlimited            seconds   \n')
    assert.deepEqual([limits.get('nofile'), limits.get('cpu'), limits.get('core')], [20_000, -1, undefined])
    assert.ok(hardLimits().has('nofile'))
  })
})
