import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseExtraHosts, writeHostnameFile, writeHostsFile, type HostsFileSettings } from './hosts-file.ts'

// What Docker Engine 28.5.2 wrote.
const wellKnown = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n'

function write(change: Partial<HostsFileSettings>): string {
  return writeHostsFile({ hostname: 'bf82b865e8cb', domainname: '', addresses: ['172.17.0.2'], extraHosts: [], ipv6: true, ...change })
}

describe('hosts', () => {
  it('names the container by its own address', () => {
    assert.equal(write({}), `${wellKnown}172.17.0.2\tbf82b865e8cb\n`)
    assert.equal(write({ hostname: 'foo.bar.example' }), `${wellKnown}172.17.0.2\tfoo.bar.example foo\n`)
    assert.equal(write({ addresses: [] }), wellKnown)
  })

  it('has the user\'s names before it', () => {
    const extraHosts = parseExtraHosts(['x:1.2.3.4', 'gw:host-gateway', 'six:fd00::1'], ['172.17.0.1'])
    assert.equal(write({ hostname: 'foo', domainname: 'bar.example', extraHosts }), `${wellKnown}1.2.3.4\tx\n172.17.0.1\tgw\nfd00::1\tsix\n172.17.0.2\tfoo.bar.example foo\n`)
  })

  it('has no IPv6 where the container has none', () => {
    const extraHosts = parseExtraHosts(['six:fd00::1', 'four:1.2.3.4'], [])
    assert.equal(write({ extraHosts, ipv6: false }), '127.0.0.1\tlocalhost\n1.2.3.4\tfour\n172.17.0.2\tbf82b865e8cb\n')
  })

  it('takes no entry that would be two lines', () => {
    for (const text of ['x', ':1.2.3.4', 'x:1.2.3.4\n6.6.6.6 bank', 'x y:1.2.3.4']) assert.throws(() => parseExtraHosts([text], []), /^EngineError: bad format for add-host/)
    assert.throws(() => parseExtraHosts(['x:1.2.3'], []), { message: 'invalid IP address in add-host: "1.2.3"' })
    assert.throws(() => parseExtraHosts(['x:host-gateway'], []), { message: 'unable to derive the IP value for host-gateway' })
    assert.deepEqual(parseExtraHosts(['x:[::1]'], []), [{ address: '::1', names: 'x' }])
  })
})

describe('hostname', () => {
  it('is one line', () => {
    assert.equal(writeHostnameFile('foo.bar.example'), 'foo.bar.example\n')
  })
})
