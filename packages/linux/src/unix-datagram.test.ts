import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Errno } from './errno.ts'
import { libc } from './libc.ts'
import { failedWith } from './syscall-error.ts'
import { sendUnixDatagram } from './unix-datagram.ts'

const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const void *address, uint32 length)')
const recv = libc.func('int64 recv(int fd, void *buffer, size_t length, int flags)')

test('a datagram arrives, and a full receiver is an error, not a wait', () => {
  const directory = mkdtempSync(join(tmpdir(), 'datagram-'))
  const fd = socket(1, 2, 0) as number
  try {
    const path = join(directory, 'socket')
    const address = Buffer.from(`\x01\x00${path}\0`)
    assert.equal(bind(fd, address, address.length), 0)
    sendUnixDatagram(path, Buffer.from('READY=1'))
    const buffer = Buffer.alloc(100)
    assert.equal(buffer.toString('utf8', 0, Number(recv(fd, buffer, 100, 0))), 'READY=1')
    // net.unix.max_dgram_qlen is 10 by default, some set 512.
    assert.throws(() => {
      for (let i = 0; i < 100_000; i++) sendUnixDatagram(path, Buffer.from('x'))
    }, (error) => failedWith(error, Errno.EAGAIN))
  } finally {
    closeSync(fd)
    rmSync(directory, { recursive: true })
  }
})

test('an address that does not fit is refused', () => {
  assert.throws(() => sendUnixDatagram(`/${'x'.repeat(107)}`, Buffer.alloc(1)), { code: 'invalid-argument' })
  assert.throws(() => sendUnixDatagram('', Buffer.alloc(1)), { code: 'invalid-argument' })
})
