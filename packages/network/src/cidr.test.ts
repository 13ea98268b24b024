import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addressNumber, broadcastOf, contains, firstAddress, formatAddress, formatCidr, lastAddress, networkOf, overlaps, parseCidr, type Cidr } from './cidr.ts'

const ipv4 = fc.record({ address: fc.ipV4(), prefix: fc.integer({ min: 0, max: 32 }) }, { noNullPrototype: true })
const ipv6 = fc.record({ address: fc.bigInt(0n, (1n << 128n) - 1n).map((value) => formatAddress(value, true)), prefix: fc.integer({ min: 0, max: 128 }) }, { noNullPrototype: true })
const cidr: fc.Arbitrary<Cidr> = fc.oneof(ipv4, ipv6)

describe('a CIDR', () => {
  it('is read and written', () => {
    assert.deepEqual(parseCidr('172.17.0.1/16'), { address: '172.17.0.1', prefix: 16 })
    assert.deepEqual(parseCidr('FD00:0:0::1/64'), { address: 'fd00::1', prefix: 64 })
    for (const text of ['', '172.17.0.1', '172.17.0.1/', '172.17.0.1/33', '172.17.0.1/-1', '172.17.0/16', 'fd00::/129', '1.2.3.4/08 ', '/16', '01.2.3.4/8']) {
      assert.throws(() => parseCidr(text), { code: 'invalid-argument', message: `invalid CIDR address: ${text}` })
    }
    fc.assert(fc.property(cidr, (one) => assert.deepEqual(parseCidr(formatCidr(one)), one)))
  })

  it('knows its network', () => {
    assert.deepEqual(networkOf(parseCidr('172.17.33.1/16')), { address: '172.17.0.0', prefix: 16 })
    assert.deepEqual(networkOf(parseCidr('255.255.255.255/0')), { address: '0.0.0.0', prefix: 0 })
    assert.equal(broadcastOf(parseCidr('172.17.33.1/16')), '172.17.255.255')
    assert.equal(broadcastOf(parseCidr('10.0.0.1/32')), '10.0.0.1')
    fc.assert(fc.property(cidr, (one) => {
      const value = addressNumber(one.address)
      assert.ok(firstAddress(one) <= value && value <= lastAddress(one))
      assert.ok(contains(one, one.address))
      assert.deepEqual(networkOf(networkOf(one)), networkOf(one))
    }))
  })

  it('overlaps exactly where an address is in both', () => {
    fc.assert(fc.property(ipv4, ipv4, (a, b) => {
      // Two networks are nested or apart: they overlap when the larger one holds the smaller one's first address.
      const [large, small] = a.prefix <= b.prefix ? [a, b] : [b, a]
      assert.equal(overlaps(a, b), contains(large, networkOf(small).address))
      assert.equal(overlaps(a, b), overlaps(b, a))
    }))
    assert.equal(overlaps(parseCidr('0.0.0.0/0'), parseCidr('::/0')), false)
  })
})
