import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { answersQuery, parseQuery, RecordType, responseCode, reverseAddress, writeResponse } from './message.ts'
import { frame, Frames } from './tcp-frames.ts'
import { Zone, type SandboxNetwork } from './zone.ts'

/** A query as a stub resolver writes it. @param udpBytes in an OPT record */
function query(name: string, type: number, udpBytes?: number): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')])
  const opt = udpBytes === undefined ? [] : [Buffer.of(0, 0, RecordType.OPT, udpBytes >> 8, udpBytes & 0xff, 0, 0, 0, 0, 0, 0)]
  return Buffer.concat([Buffer.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, opt.length), ...labels, Buffer.of(0, 0, type, 0, 1), ...opt])
}

function parsed(name: string, type: number, udpBytes?: number) {
  return parseQuery(query(name, type, udpBytes)) ?? assert.fail('no query')
}

describe('a message', () => {
  it('is read: name, type, and how much the client takes', () => {
    const { name, type, id, udpBytes } = parsed('Web.Example', RecordType.AAAA)
    assert.deepEqual({ name, type, id, udpBytes }, { name: 'Web.Example', type: 28, id: 0x1234, udpBytes: 512 })
    assert.equal(parsed('a', 1, 1232).udpBytes, 1232)
    assert.equal(parsed('a', 1, 100).udpBytes, 512)
  })

  it('is answered with the question as it was written, and with as much as fits', () => {
    const asked = parsed('WeB', RecordType.A)
    const answers = Array.from({ length: 100 }, (_, i) => ({ type: RecordType.A, data: Buffer.of(10, 0, 0, i) }))
    const whole = writeResponse(asked, 0, answers, 600, 65_535)
    assert.equal(whole.readUInt16BE(6), 100)
    assert.ok(answersQuery(whole, asked, 0x1234))
    assert.equal(whole.readUInt16BE(2), 0x8180)
    const cut = writeResponse(asked, 0, answers, 600, 512)
    assert.ok(cut.length <= 512)
    assert.equal(cut.readUInt16BE(2), 0x8380)
    assert.equal(responseCode(writeResponse(asked, 3, [], 0, 512)), 3)
  })

  it('of whatever bytes is no harm', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const asked = parseQuery(Buffer.from(bytes))
      if (asked !== undefined) assert.ok(writeResponse(asked, 0, [], 0, 512).length <= 12 + 255 + 5)
      answersQuery(Buffer.from(bytes), { question: Buffer.from('\u0001a\0\0\u0001\0\u0001') }, 1)
    }))
    const valid = query('web.example', 1, 1232)
    fc.assert(fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, value) => {
      const changed = Buffer.from(valid)
      changed[at] = value
      parseQuery(changed)
      parseQuery(changed.subarray(0, at))
    }))
  })

  it('names an address backwards', () => {
    assert.deepEqual(reverseAddress('2.0.18.172.in-addr.arpa'), Buffer.of(172, 18, 0, 2))
    assert.equal(reverseAddress('2.0.18.999.in-addr.arpa'), undefined)
    assert.equal(reverseAddress('0.18.172.in-addr.arpa'), undefined)
    assert.equal(reverseAddress(`${'1.'.repeat(32)}IP6.ARPA`)?.toString('hex'), '1'.repeat(32))
  })

  it('comes out of a stream as it went in, however that is cut', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.integer({ min: 1, max: 9 }), (messages, step) => {
      const stream = Buffer.concat(messages.map((message) => frame(Buffer.from(message))))
      const frames = new Frames()
      const got: Buffer[] = []
      for (let i = 0; i < stream.length; i += step) got.push(...frames.push(stream.subarray(i, i + step)))
      assert.deepEqual(got, messages.map((message) => Buffer.from(message)))
    }))
  })
})

describe('the names of networks', () => {
  const zone = new Zone()
  zone.setNetwork('1', 'front')
  zone.setNetwork('2', 'back.end')
  zone.setEndpoint('1', 'a', { names: ['web', 'www', '0123456789ab'], address: '10.0.0.2', address6: 'fd00::2' })
  zone.setEndpoint('1', 'b', { names: ['web2', 'www'], address: '10.0.0.3' })
  zone.setEndpoint('2', 'c', { names: ['db'], address: '10.1.0.2' })
  const front: SandboxNetwork = { networkId: '1', links: {} }
  const back: SandboxNetwork = { networkId: '2', links: { store: 'db' } }

  /** Addresses of an answer; undefined when it is none of the networks' business. */
  const ask = (name: string, type: number, networks = [front, back]): string[] | undefined => {
    const asked = parsed(name, type)
    const answer = zone.answer(asked, networks, 512)
    if (answer === undefined) return undefined
    const size = type === RecordType.A ? 4 : 16
    return Array.from({ length: answer.readUInt16BE(6) }, (_, i) => {
      const at = 12 + asked.question.length + i * (12 + size) + 12
      return answer.subarray(at, at + size).toString('hex')
    }).toSorted()
  }

  it('are found by any letters, with and without the network', () => {
    assert.deepEqual(ask('WEB', RecordType.A), ['0a000002'])
    assert.deepEqual(ask('web.front', RecordType.A), ['0a000002'])
    assert.deepEqual(ask('db.back.end', RecordType.A), ['0a010002'])
    assert.equal(ask('db.front', RecordType.A), undefined)
    assert.equal(ask('db', RecordType.A, [front]), undefined)
    assert.deepEqual(ask('0123456789ab', RecordType.AAAA), ['fd000000000000000000000000000002'])
  })

  it('of several containers give the addresses of all, in no order', () => {
    assert.deepEqual(ask('www', RecordType.A), ['0a000002', '0a000003'])
    const first = new Set(Array.from({ length: 64 }, () => zone.answer(parsed('www', RecordType.A), [front], 512)?.toString('hex')))
    assert.equal(first.size, 2)
  })

  it('are not asked for outside in the family that they lack', () => {
    assert.deepEqual(ask('db', RecordType.AAAA), [])
    assert.deepEqual(ask('db', RecordType.MX), [])
    assert.equal(ask('db', 16), undefined)
  })

  it('are a container’s own where it has links', () => {
    assert.deepEqual(ask('store', RecordType.A), ['0a010002'])
    assert.equal(ask('store', RecordType.A, [front]), undefined)
  })

  it('go by address too, and go', () => {
    assert.match(zone.answer(parsed('2.0.0.10.in-addr.arpa', RecordType.PTR), [front], 512)?.toString('latin1') ?? '', /\u0003web\u0005front\0$/)
    assert.equal(zone.answer(parsed('2.0.0.10.in-addr.arpa', RecordType.PTR), [back], 512), undefined)
    zone.removeEndpoint('1', 'a')
    assert.deepEqual(ask('www', RecordType.A), ['0a000003'])
    assert.equal(ask('web', RecordType.A), undefined)
    assert.equal(zone.answer(parsed('2.0.0.10.in-addr.arpa', RecordType.PTR), [front], 512), undefined)
  })
})
