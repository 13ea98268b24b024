import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addressNumber, broadcastOf, contains, formatAddress, formatCidr, networkOf, overlaps, parseCidr, type Cidr } from './cidr.ts'
import { allocateAddress, chooseSubnet, claimAddress, createAddressPool, defaultSubnetPools, macAddressFor } from './ipam.ts'

const subnet: fc.Arbitrary<Cidr> = fc.tuple(fc.nat(0xffffffff), fc.integer({ min: 24, max: 30 })).map(([value, prefix]) => networkOf({ address: formatAddress(BigInt(value), false), prefix }))

describe('an address pool', () => {
  it('has the first address as its gateway', () => {
    assert.equal(createAddressPool({ subnet: parseCidr('172.17.0.0/16') }).gateway, '172.17.0.1')
    assert.equal(createAddressPool({ subnet: parseCidr('fd00::/64') }).gateway, 'fd00::1')
    assert.equal(createAddressPool({ subnet: parseCidr('172.17.5.9/16'), gateway: '172.17.5.9' }).subnet.address, '172.17.0.0')
    assert.throws(() => createAddressPool({ subnet: parseCidr('172.17.0.0/16'), gateway: '172.18.0.1' }), { code: 'invalid-argument' })
    assert.throws(() => createAddressPool({ subnet: parseCidr('172.17.0.0/16'), range: parseCidr('172.18.0.0/24') }), { code: 'invalid-argument' })
    assert.throws(() => createAddressPool({ subnet: parseCidr('172.17.0.0/16'), range: parseCidr('172.16.0.0/12') }), { code: 'invalid-argument' })
  })

  it('gives the lowest free address, as Docker does', () => {
    const pool = createAddressPool({ subnet: parseCidr('172.17.0.0/16') })
    assert.equal(allocateAddress(pool, new Set()), '172.17.0.2')
    assert.equal(allocateAddress(pool, new Set(['172.17.0.2', '172.17.0.4'])), '172.17.0.3')
    const range = createAddressPool({ subnet: parseCidr('172.17.0.0/16'), gateway: '172.17.0.1', range: parseCidr('172.17.8.0/30'), reserved: ['172.17.8.1'] })
    assert.equal(allocateAddress(range, new Set()), '172.17.8.0')
    assert.equal(allocateAddress(range, new Set(['172.17.8.0'])), '172.17.8.2')
    assert.throws(() => allocateAddress(range, new Set(['172.17.8.0', '172.17.8.2', '172.17.8.3'])), { code: 'unavailable' })
  })

  it('hands out every address once, and never its gateway, name or broadcast', () => {
    fc.assert(fc.property(subnet, (network) => {
      const pool = createAddressPool({ subnet: network })
      const used = new Set<string>()
      const size = 2 ** (32 - network.prefix) - 3
      for (let count = 0; count < size; count++) {
        const address = allocateAddress(pool, used)
        assert.ok(!used.has(address) && contains(network, address))
        assert.ok(![pool.gateway, network.address, broadcastOf(network)].includes(address))
        used.add(address)
      }
      assert.throws(() => allocateAddress(pool, used), { code: 'unavailable' })
    }), { numRuns: 30 })
  })

  it('never gives an address twice, whatever comes and goes', () => {
    const step = fc.oneof(fc.constant('take' as const), fc.nat(20))
    fc.assert(fc.property(subnet, fc.array(step, { maxLength: 60 }), (network, steps) => {
      const pool = createAddressPool({ subnet: network })
      const used: string[] = []
      for (const one of steps) {
        if (one !== 'take') used.splice(one % Math.max(used.length, 1), 1)
        else if (used.length < 2 ** (32 - network.prefix) - 3) {
          const address = allocateAddress(pool, new Set(used))
          assert.ok(!used.includes(address))
          assert.equal(claimAddress(pool, new Set(used), address), address)
          used.push(address)
          assert.throws(() => claimAddress(pool, new Set(used), address), { message: 'Address already in use' })
        }
      }
    }), { numRuns: 60 })
  })

  it('refuses an address that cannot be a container\'s', () => {
    const pool = createAddressPool({ subnet: parseCidr('172.17.0.0/16'), range: parseCidr('172.17.8.0/24'), gateway: '172.17.0.1' })
    assert.equal(claimAddress(pool, new Set(), '172.17.99.1'), '172.17.99.1')
    assert.throws(() => claimAddress(pool, new Set(), '172.17.0.1'), { code: 'forbidden' })
    assert.throws(() => claimAddress(pool, new Set(), '172.17.0.0'), { code: 'forbidden', message: 'Address already in use' })
    assert.throws(() => claimAddress(pool, new Set(), '172.17.255.255'), { code: 'forbidden' })
    assert.throws(() => claimAddress(pool, new Set(), '172.18.0.2'), { message: 'no configured subnet contains IP address 172.18.0.2' })
    assert.throws(() => claimAddress(pool, new Set(), 'fd00::2'), { code: 'invalid-argument' })
    assert.throws(() => claimAddress(pool, new Set(), 'x'), { code: 'invalid-argument' })
  })

  it('has no names to spare in a /31', () => {
    const pool = createAddressPool({ subnet: parseCidr('10.0.0.0/31') })
    assert.equal(pool.gateway, '10.0.0.0')
    assert.equal(allocateAddress(pool, new Set()), '10.0.0.1')
  })
})

describe('subnets', () => {
  it('are Docker\'s, in its order', () => {
    const taken: Cidr[] = []
    const texts = Array.from({ length: 31 }, () => {
      const next = chooseSubnet(defaultSubnetPools, taken)
      taken.push(next)
      return formatCidr(next)
    })
    assert.deepEqual(texts.slice(0, 4), ['172.17.0.0/16', '172.18.0.0/16', '172.19.0.0/16', '172.20.0.0/16'])
    assert.deepEqual(texts.slice(14, 17), ['172.31.0.0/16', '192.168.0.0/20', '192.168.16.0/20'])
    assert.throws(() => chooseSubnet(defaultSubnetPools, [...taken.slice(0, 15), parseCidr('192.168.0.0/16')]), { message: 'all predefined address pools have been fully subnetted' })
  })

  it('touch nothing that is taken', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(0xffff), fc.integer({ min: 16, max: 30 })), { maxLength: 20 }), fc.integer({ min: 17, max: 26 }), (obstacles, size) => {
      const base = parseCidr('10.7.0.0/16')
      const taken = obstacles.map(([low, prefix]) => networkOf({ address: formatAddress(addressNumber('10.7.0.0') + BigInt(low), false), prefix }))
      const all = Array.from({ length: 2 ** (size - 16) }, (_, index): Cidr => ({ address: formatAddress(addressNumber('10.7.0.0') + (BigInt(index) << BigInt(32 - size)), false), prefix: size }))
      const expected = all.find((one) => !taken.some((obstacle) => overlaps(obstacle, one)))
      if (expected === undefined) assert.throws(() => chooseSubnet([{ base, size }], taken), { code: 'invalid-argument' })
      else assert.deepEqual(chooseSubnet([{ base, size }], taken), expected)
    }))
  })

  it('are found quickly in a large pool that is full', () => {
    const base = parseCidr('10.0.0.0/8')
    assert.throws(() => chooseSubnet([{ base, size: 30 }], [base]), { code: 'invalid-argument' })
    assert.throws(() => chooseSubnet([{ base, size: 7 }], []), { code: 'invalid-argument' })
  })
})

describe('a MAC address', () => {
  it('follows from the IPv4 address', () => {
    assert.equal(macAddressFor('172.17.0.2'), '02:42:ac:11:00:02')
    assert.equal(macAddressFor('1.2.3.4'), '02:42:01:02:03:04')
  })
})
