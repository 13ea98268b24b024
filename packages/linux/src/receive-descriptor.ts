import { door } from './door.ts'
import { addressOf, libc } from './libc.ts'

const MSG_DONTWAIT = 0x40
const MSG_CMSG_CLOEXEC = 0x4000_0000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
// struct msghdr on 64-bit Linux: msg_name@0, msg_namelen@8, msg_iov@16, msg_iovlen@24, msg_control@32, msg_controllen@40, msg_flags@48.
const MSGHDR_BYTES = 56
const DATA_BYTES = 4096
// struct cmsghdr: cmsg_len@0, cmsg_level@8, cmsg_type@12, then the descriptor.
const CONTROL_BYTES = 24

const recvmsg = libc.func('int64 recvmsg(int fd, void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number

/**
 * recvmsg(2) for one message with a descriptor (unix(7), SCM_RIGHTS), without waiting.
 * @param fd a connected unix socket
 * @returns the descriptor, close-on-exec; undefined when the message had none
 * @throws SyscallError EAGAIN when there is no message
 */
export function receiveDescriptor(fd: number): number | undefined {
  const data = Buffer.alloc(DATA_BYTES)
  const control = Buffer.alloc(CONTROL_BYTES)
  const vector = Buffer.alloc(16)
  vector.writeBigUInt64LE(addressOf(data), 0)
  vector.writeBigUInt64LE(BigInt(data.length), 8)
  const message = Buffer.alloc(MSGHDR_BYTES)
  message.writeBigUInt64LE(addressOf(vector), 16)
  message.writeBigUInt64LE(1n, 24)
  message.writeBigUInt64LE(addressOf(control), 32)
  message.writeBigUInt64LE(BigInt(control.length), 40)
  door('recvmsg', () => ({ fd, flags: 'MSG_DONTWAIT|MSG_CMSG_CLOEXEC' }), () => recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC))
  const received = message.readBigUInt64LE(40) >= 20n && control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS
  return received ? control.readInt32LE(16) : undefined
}
