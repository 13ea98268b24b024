import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientFrames, Opcode, serverFrameHeader, type Received } from './frames.ts'

/** A frame as a client sends it. */
function masked(opcode: number, data: Buffer, final = true): Buffer {
  const mask = Buffer.from([1, 2, 3, 4])
  const header = serverFrameHeader(opcode, data.length)
  header[0] = (final ? 0x80 : 0) | opcode
  header[1] = (header[1] as number) | 0x80
  return Buffer.concat([header, mask, data.map((byte, i) => byte ^ (mask[i & 3] as number))])
}

function received(bytes: Buffer, step: number): { readonly data: string; readonly control: string[] } {
  const frames = new ClientFrames()
  const all: Received[] = []
  for (let at = 0; at < bytes.length; at += step) all.push(...frames.take(bytes.subarray(at, at + step)))
  return {
    data: Buffer.concat(all.filter(({ kind }) => kind === 'data').map(({ data }) => data)).toString(),
    control: all.filter(({ kind }) => kind !== 'data').map(({ kind, data }) => `${kind} ${data.toString()}`),
  }
}

test('frames of every length are read, however they are cut, with control frames between the parts of a message', () => {
  const texts = ['', 'a', 'b'.repeat(125), 'c'.repeat(126), 'd'.repeat(70_000)]
  const bytes = Buffer.concat([
    ...texts.map((text) => masked(Opcode.binary, Buffer.from(text))),
    masked(Opcode.text, Buffer.from('one'), false), masked(Opcode.ping, Buffer.from('are you')), masked(Opcode.continuation, Buffer.from(' two')),
    masked(Opcode.close, Buffer.from([3, 232])),
  ])
  for (const step of [1, 7, 1000, bytes.length]) {
    const { data, control } = received(bytes, step)
    assert.equal(data, `${texts.join('')}one two`)
    assert.deepEqual(control, ['ping are you', 'close \x03\ufffd'])
  }
})

test('what is no client of the protocol is refused', () => {
  const wrong: readonly (readonly [string, Buffer, RegExp])[] = [
    ['no mask', Buffer.from([0x82, 1, 65]), /must mask/],
    ['an extension', Buffer.from([0xc2, 0x80, 0, 0, 0, 0]), /no extension/],
    ['an opcode of nobody', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), /no opcode 3/],
    ['a long ping', masked(Opcode.ping, Buffer.alloc(126)), /control frame/],
    ['a ping in parts', masked(Opcode.ping, Buffer.alloc(1), false), /control frame/],
    ['a part of nothing', masked(Opcode.continuation, Buffer.alloc(1)), /not begun/],
    ['two messages in one', Buffer.concat([masked(Opcode.text, Buffer.alloc(1), false), masked(Opcode.text, Buffer.alloc(1))]), /within another/],
    ['2^63 bytes', Buffer.concat([Buffer.from([0x82, 0xff]), Buffer.alloc(8, 0xff), Buffer.alloc(4)]), /longer/],
  ]
  for (const [what, bytes, message] of wrong) assert.throws(() => [...new ClientFrames().take(bytes)], message, what)
})
