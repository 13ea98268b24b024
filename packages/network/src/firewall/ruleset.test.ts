import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { writeEndpoint, writeEndpointRemoval, type EndpointRules } from './endpoint-ruleset.ts'
import { writeLinks } from './link-ruleset.ts'
import { writeBridge, writeTables, writeTablesRemoval } from './ruleset.ts'

const endpoint: EndpointRules = { hostInterface: 'veth1', mac: '02:42:ac:11:00:02', addresses: ['172.17.0.2'], antiSpoofing: true, interContainer: true }

describe('the ruleset', () => {
  it('has an endpoint as elements, not as rules', () => {
    assert.equal(writeEndpoint('engine', endpoint).text, 'add element bridge engine addresses { "veth1" . 02:42:ac:11:00:02 . 172.17.0.2 }\nadd element bridge engine checked { "veth1" }\n')
    assert.equal(writeEndpoint('engine', { ...endpoint, interContainer: false, antiSpoofing: false }).text, 'add element bridge engine apart { "veth1" }\n')
    assert.deepEqual(writeEndpoint('engine', { ...endpoint, antiSpoofing: false }), { text: '', elements: [] })
  })

  it('removes whatever an endpoint may have', () => {
    const { text } = writeEndpointRemoval('engine', endpoint)
    assert.deepEqual(text.split('\n').filter((line) => line.startsWith('delete')).map((line) => line.split(' ')[4]), ['addresses', 'checked', 'apart'])
  })

  it('masquerades what leaves the subnet for elsewhere', () => {
    const rules = { bridge: 'engine0', subnets: [{ subnet: { address: '172.17.0.1', prefix: 16 }, masquerade: true, mode: 'nat' as const }], interContainer: true, internal: false, trusted: [] }
    assert.match(writeBridge('engine', rules), /^add rule inet engine out-of-engine0 ip saddr 172\.17\.0\.0\/16 oifname != "engine0" masquerade$/m)
    assert.doesNotMatch(writeBridge('engine', { ...rules, internal: true }), /masquerade/)
    assert.match(writeBridge('engine', { ...rules, interContainer: false }), /^add rule inet engine into-engine0 iifname "engine0" drop$/m)
  })

  it('has links as elements, all of them or none', () => {
    assert.equal(writeLinks('engine', []), 'flush set bridge engine linked\nflush set bridge engine linked-pairs\n')
    const links = [80, 443].map((port) => ({ from: 'veth1', to: 'veth2', protocol: 'tcp', port }))
    assert.match(writeLinks('engine', links), /^add element bridge engine linked \{ "veth1" \. "veth2" \. tcp \. 80, "veth1" \. "veth2" \. tcp \. 443 \}\nadd element bridge engine linked-pairs \{ "veth1" \. "veth2", "veth2" \. "veth1" \}$/m)
    for (const wrong of [{ protocol: 'tcp . 1 }\nflush ruleset' }, { port: 1.5 }, { port: 65_536 }, { to: 'a b' }]) assert.throws(() => writeLinks('engine', [{ from: 'veth1', to: 'veth2', protocol: 'tcp', port: 80, ...wrong }]), { code: 'invalid-argument' })
  })

  it('takes no name that could be more than a name', () => {
    for (const table of ['', 'a b', 'a;flush ruleset', 'a\nflush ruleset', '{', '1']) {
      assert.throws(() => writeTables(table, false), { code: 'invalid-argument' })
      assert.throws(() => writeTablesRemoval(table), { code: 'invalid-argument' })
    }
    for (const hostInterface of ['', 'veth1" }\nflush ruleset', 'a/b', '0123456789abcdef', '..', '-x']) assert.throws(() => writeEndpoint('engine', { ...endpoint, hostInterface }), { code: 'invalid-argument' })
    assert.throws(() => writeEndpoint('engine', { ...endpoint, mac: '02:42:ac:11:00:02 }\nflush ruleset' }), { code: 'invalid-argument' })
    assert.throws(() => writeEndpoint('engine', { ...endpoint, addresses: ['172.17.0.2 }\nflush ruleset'] }), { code: 'invalid-argument' })
  })
})
