import { door, doorIfReady } from './door.ts'
import { addressOf, libc } from './libc.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x4000_0000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
// struct msghdr on 64-bit Linux: msg_name@0, msg_namelen@8, msg_iov@16, msg_iovlen@24, msg_control@32, msg_controllen@40, msg_flags@48.
const MSGHDR_BYTES = 56
const DATA_BYTES = 4096
// struct cmsghdr: cmsg_len@0, cmsg_level@8, cmsg_type@12, then the descriptors.
const CMSGHDR_BYTES = 16
const MAXIMAL_DESCRIPTORS = 8

/** Room for the call that is being made: calls are made one at a time, and what a message points at has to stay. */
const header = Buffer.alloc(MSGHDR_BYTES)
const vector = Buffer.alloc(16)
const control = Buffer.alloc(CMSGHDR_BYTES + 4 * MAXIMAL_DESCRIPTORS)

const recvmsg = libc.func('int64 recvmsg(int fd, void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number
const sendmsg = libc.func('int64 sendmsg(int fd, const void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, void *pair)') as (domain: number, type: number, protocol: number, pair: Buffer) => number

/** A message and the descriptors that came with it. */
export interface PassedDescriptors {
  readonly data: Buffer
  /** Close-on-exec; the receiver's to close. */
  readonly descriptors: readonly number[]
}

/** socketpair(2) of unix sockets that keep messages apart (SOCK_SEQPACKET), both close-on-exec. @throws SyscallError */
export function messageSocketPair(): readonly [number, number] {
  const pair = Buffer.alloc(8)
  door('socketpair', () => ({ domain: 'AF_UNIX', type: 'SOCK_SEQPACKET|SOCK_CLOEXEC' }), () => socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
  return [pair.readInt32LE(0), pair.readInt32LE(4)]
}

/**
 * sendmsg(2) with duplicates of descriptors (unix(7), SCM_RIGHTS), without waiting. From then on the message holds what they are of
 * open, whatever becomes of the sender, until it is received or its receiver's socket is closed.
 * @param data at least one byte, at most 4096
 * @param descriptors at most 8
 * @returns false when the receiver's queue is full
 * @throws SyscallError EPIPE or ECONNRESET when there is no receiver any more
 */
export function sendDescriptors(fd: number, data: Buffer, descriptors: readonly number[]): boolean {
  const length = CMSGHDR_BYTES + 4 * descriptors.length
  if (descriptors.length > 0) {
    control.fill(0)
    control.writeBigUInt64LE(BigInt(length), 0)
    control.writeInt32LE(SOL_SOCKET, 8)
    control.writeInt32LE(SCM_RIGHTS, 12)
    for (const [index, descriptor] of descriptors.entries()) control.writeInt32LE(descriptor, CMSGHDR_BYTES + 4 * index)
  }
  // CMSG_SPACE: padded to whole words.
  describe(data, descriptors.length === 0 ? 0 : Math.ceil(length / 8) * 8)
  return doorIfReady('sendmsg', () => ({ fd, length: data.length, descriptors: descriptors.join(', ') }), () => sendmsg(fd, header, MSG_DONTWAIT | MSG_NOSIGNAL)) !== undefined
}

/**
 * recvmsg(2) for one message with its descriptors, without waiting.
 * @param fd a connected unix socket
 * @returns undefined when there is no message
 * @throws SyscallError ECONNRESET when the peer has gone
 */
export function receiveDescriptors(fd: number): PassedDescriptors | undefined {
  const data = Buffer.alloc(DATA_BYTES)
  describe(data, control.length)
  const received = doorIfReady('recvmsg', () => ({ fd, flags: 'MSG_DONTWAIT|MSG_CMSG_CLOEXEC' }), () => recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC))
  if (received === undefined || received === 0) return undefined
  const told = Number(header.readBigUInt64LE(40))
  const descriptors: number[] = []
  if (told >= CMSGHDR_BYTES && control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS) {
    const end = Math.min(Number(control.readBigUInt64LE(0)), told)
    for (let at = CMSGHDR_BYTES; at + 4 <= end; at += 4) descriptors.push(control.readInt32LE(at))
  }
  return { data: data.subarray(0, received), descriptors }
}

function describe(data: Buffer, controlLength: number): void {
  vector.writeBigUInt64LE(addressOf(data), 0)
  vector.writeBigUInt64LE(BigInt(data.length), 8)
  header.writeBigUInt64LE(addressOf(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(controlLength === 0 ? 0n : addressOf(control), 32)
  header.writeBigUInt64LE(BigInt(controlLength), 40)
}
