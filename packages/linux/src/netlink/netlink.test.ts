import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseAddress, writeAddress } from './address.ts'
import { parseAttributes, readNested, readString, readU32, writeAttribute, writeNested, writeString, writeU32 } from './attributes.ts'
import { formatIpAddress, formatMacAddress, parseIpAddress, parseMacAddress } from './ip-address.ts'
import { checkedLinkName, parseLink, writeLink } from './link.ts'
import { MessageFlag, MessageType, parseMessages, parseOutcome, writeMessage } from './message.ts'
import { parseNeighbour, writeNeighbour } from './neighbour.ts'
import { parseRoute, writeRoute } from './route.ts'

const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })).map((bytes) => Buffer.from(bytes))
const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value))

describe('attributes', () => {
  it('are read as they were written', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), bytes), { selector: ([type]) => type }), (attributes) => {
      const parsed = parseAttributes(Buffer.concat(attributes.map(([type, payload]) => writeAttribute(type, payload))))
      assert.deepEqual([...parsed].sort(), attributes.map(([type, payload]) => [type, payload]).sort())
    }))
    const nested = parseAttributes(writeNested(18, writeString(1, 'veth'), writeU32(2, 0xffffffff)))
    assert.equal(readString(readNested(nested.get(18)).get(1)), 'veth')
    assert.equal(readU32(readNested(nested.get(18)).get(2)), 0xffffffff)
  })

  it('are never read outside of their bytes', () => {
    fc.assert(fc.property(bytes, (garbage) => {
      try {
        for (const payload of parseAttributes(garbage).values()) assert.ok(payload.length <= garbage.length - 4)
      } catch (error) {
        assert.match(String(error), /malformed netlink attribute/)
      }
    }))
    assert.throws(() => parseAttributes(Buffer.from([0, 0, 1, 0])), /malformed/)
    assert.throws(() => parseAttributes(Buffer.from([9, 0, 1, 0, 1, 2, 3, 4])), /malformed/)
  })

  it('do not overflow their length', () => {
    assert.equal(writeAttribute(1, Buffer.alloc(0xffff - 4)).readUInt16LE(0), 0xffff)
    assert.throws(() => writeAttribute(1, Buffer.alloc(0x10000 - 4)), /too long/)
    assert.throws(() => writeString(1, 'a\0b'), /NUL/)
  })
})

describe('messages', () => {
  it('are read as they were written', () => {
    const message = fc.record({ type: fc.nat(0xffff), flags: fc.nat(0xffff), sequence: fc.nat(0xffffffff), payload: bytes.map((value) => value.subarray(0, value.length & ~3)) }, { noNullPrototype: true })
    fc.assert(fc.property(fc.array(message), (messages) => {
      assert.deepEqual(parseMessages(Buffer.concat(messages.map(writeMessage))), messages)
    }))
    assert.throws(() => parseMessages(Buffer.alloc(16)), /malformed/)
    assert.throws(() => parseMessages(Buffer.concat([Buffer.from([17, 0, 0, 0]), Buffer.alloc(12)])), /malformed/)
  })

  it('tell how a request ended', () => {
    const outcome = (flags: number, ...parts: Buffer[]) => parseOutcome({ type: MessageType.ERROR, flags, sequence: 1, payload: Buffer.concat(parts) })
    const errno = Buffer.alloc(4)
    errno.writeInt32LE(-17)
    const request = writeMessage({ type: 16, flags: 0, sequence: 1, payload: Buffer.alloc(8) })
    const text = writeString(1, 'Link exists')
    assert.deepEqual(outcome(0, Buffer.alloc(4), request), { errno: 0, text: undefined })
    assert.deepEqual(outcome(0, errno, request), { errno: 17, text: undefined })
    assert.deepEqual(outcome(MessageFlag.ACK_ATTRIBUTES, errno, request, text), { errno: 17, text: 'Link exists' })
    assert.deepEqual(outcome(MessageFlag.ACK_ATTRIBUTES | MessageFlag.CAPPED, errno, request.subarray(0, 16), text), { errno: 17, text: 'Link exists' })
    assert.deepEqual(outcome(MessageFlag.ACK_ATTRIBUTES, errno), { errno: 17, text: undefined })
    request.writeUInt32LE(0x7fffffff, 0)
    assert.deepEqual(outcome(MessageFlag.ACK_ATTRIBUTES, errno, request, text), { errno: 17, text: undefined })
  })
})

describe('addresses', () => {
  it('are read as they were written', () => {
    fc.assert(fc.property(address, (value) => assert.deepEqual(parseIpAddress(formatIpAddress(value)), value)))
    fc.assert(fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }).map((value) => Buffer.from(value)), (mac) => assert.deepEqual(parseMacAddress(formatMacAddress(mac)), mac)))
  })

  it('are written as RFC 5952 wants them', () => {
    for (const [text, canonical] of [['2001:DB8:0:0:0:0:0:1', '2001:db8::1'], ['::', '::'], ['1::', '1::'], ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], ['1:0:0:2:0:0:0:3', '1:0:0:2::3'], ['0:0:1::', '0:0:1::'], ['::ffff:1.2.3.4', '::ffff:102:304']] as const) {
      assert.equal(formatIpAddress(parseIpAddress(text)), canonical)
    }
    for (const text of ['', '1.2.3', '1.2.3.256', ':::', '1::2::3', 'fe80::1%eth0', '1.2.3.4/8', '0x1.2.3.4']) assert.throws(() => parseIpAddress(text), { code: 'invalid-argument' })
    for (const text of ['', '02:42:ac:11:00', '02:42:ac:11:00:0g', '02-42-ac-11-00-02']) assert.throws(() => parseMacAddress(text), { code: 'invalid-argument' })
  })
})

describe('rtnetlink payloads', () => {
  it('of links', () => {
    const link = parseLink(writeLink({ index: 7, name: 'veth1', mac: '02:42:ac:11:00:02', mtu: 1450, master: 3, up: true, group: 5, kind: 'veth', peer: { name: 'eth0', namespace: 9 } }))
    assert.deepEqual(link, { index: 7, name: 'veth1', flags: 1, up: true, mac: '02:42:ac:11:00:02', mtu: 1450, master: 3, group: 5, kind: 'veth', peerIndex: undefined })
    assert.throws(() => parseLink(Buffer.alloc(15)), /malformed/)
  })

  it('of addresses, routes and neighbours', () => {
    const one = { index: 2, address: '172.17.0.2', prefix: 16, scope: 0, broadcast: '172.17.255.255' }
    assert.deepEqual(parseAddress(writeAddress(one)), one)
    assert.deepEqual(parseRoute(writeRoute({ index: 2, gateway: '172.17.0.1', scope: 0 })), { destination: undefined, gateway: '172.17.0.1', index: 2, table: 254, type: 1 })
    assert.deepEqual(parseRoute(writeRoute({ index: 2, destination: { address: 'fd00::', prefix: 64 }, scope: 253 })).destination, { address: 'fd00::', prefix: 64 })
    const neighbour = { index: 3, address: '172.17.0.2', mac: '02:42:ac:11:00:02', state: 0x80 }
    assert.deepEqual(parseNeighbour(writeNeighbour(neighbour)), neighbour)
    for (const parse of [parseAddress, parseRoute, parseNeighbour]) assert.throws(() => parse(Buffer.alloc(7)), /malformed/)
    assert.throws(() => parseAddress(Buffer.alloc(8)), /no address/)
  })

  it('take no name that the kernel or a rule could misread', () => {
    for (const name of ['eth0', 'engine0', 'br-1a2b', 'eth0.10', '012345678901234']) assert.equal(checkedLinkName(name), name)
    for (const name of ['', '.', '..', 'a b', 'a/b', 'a"', 'a\n', '0123456789012345', 'ü']) assert.throws(() => checkedLinkName(name), { code: 'invalid-argument' })
  })
})
