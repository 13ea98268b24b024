import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createAddressPool } from '@engine/network'
import fc from 'fast-check'
import { TakenAddresses } from './taken-addresses.ts'

const pool = createAddressPool({ subnet: { address: '172.17.0.0', prefix: 26 }, reserved: ['172.17.0.7'] })

describe('the addresses of a pool', () => {
  it('are given lowest first, whatever has come and gone', () => {
    const step = fc.oneof(fc.constant('take' as const), fc.integer({ min: 2, max: 62 }).map((last) => `172.17.0.${last}`))
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const taken = new TakenAddresses()
      const have = new Set<string>()
      for (const one of steps) {
        const free = Array.from({ length: 61 }, (_, i) => `172.17.0.${i + 2}`).filter((address) => address !== '172.17.0.7' && !have.has(address))
        if (one !== 'take' && have.has(one)) {
          taken.give(one)
          have.delete(one)
        } else if (one !== 'take' && free.includes(one)) {
          assert.equal(taken.take(pool, one), one)
          have.add(one)
        } else if (one === 'take' && free.length > 0) {
          assert.equal(taken.take(pool), free[0])
          have.add(free[0] ?? '')
        } else assert.throws(() => taken.take(pool, one === 'take' ? undefined : one))
      }
    }))
  })

  it('may be taken up from before, and given back twice', () => {
    const taken = new TakenAddresses()
    taken.adopt('172.17.0.2')
    assert.equal(taken.take(pool), '172.17.0.3')
    taken.give('172.17.0.2')
    taken.give('172.17.0.2')
    assert.equal(taken.take(pool), '172.17.0.2')
    assert.equal(taken.take(pool), '172.17.0.4')
  })
})
