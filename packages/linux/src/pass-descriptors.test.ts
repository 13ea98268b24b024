import assert from 'node:assert/strict'
import { closeSync, readSync, writeSync } from 'node:fs'
import { test } from 'node:test'
import { Errno } from './errno.ts'
import { messageSocketPair, receiveDescriptors, sendDescriptors } from './pass-descriptors.ts'
import { pipe } from './pipe.ts'
import { failedWith } from './syscall-error.ts'

test('what a pipe holds outlives its ends while a message has one of them, also when the sender has gone', () => {
  const [sender, receiver] = messageSocketPair()
  const { read, write } = pipe()
  writeSync(write, 'kept')
  assert.equal(sendDescriptors(sender, Buffer.from('first'), [read, write]), true)
  assert.equal(sendDescriptors(sender, Buffer.from('second'), []), true)
  for (const fd of [read, write, sender]) closeSync(fd)
  const first = receiveDescriptors(receiver)
  assert.deepEqual([first?.data.toString(), first?.descriptors.length], ['first', 2])
  assert.deepEqual(receiveDescriptors(receiver), { data: Buffer.from('second'), descriptors: [] })
  assert.equal(receiveDescriptors(receiver), undefined)
  const [kept] = first?.descriptors ?? []
  const buffer = Buffer.alloc(10)
  assert.equal(buffer.toString('utf8', 0, readSync(kept as number, buffer)), 'kept')
  for (const fd of [receiver, ...(first?.descriptors ?? [])]) closeSync(fd)
})

test('a full receiver is told by a result, one that has gone by an error', () => {
  const [sender, receiver] = messageSocketPair()
  assert.equal(receiveDescriptors(receiver), undefined)
  let sent = 0
  while (sendDescriptors(sender, Buffer.alloc(100), [sender])) sent++
  assert.ok(sent > 10)
  for (const fd of receiveDescriptors(receiver)?.descriptors ?? []) closeSync(fd)
  assert.equal(sendDescriptors(sender, Buffer.alloc(100), []), true)
  closeSync(receiver)
  // ECONNRESET, since it has not received all.
  assert.throws(() => sendDescriptors(sender, Buffer.alloc(1), []), (error) => failedWith(error, Errno.EPIPE, Errno.ECONNRESET))
  closeSync(sender)
})
