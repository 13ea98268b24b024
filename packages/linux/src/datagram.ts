import { doorIfReady } from './door.ts'
import { addressOf, libc } from './libc.ts'

const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SOL_IPV6 = 41
const IPV6_PKTINFO = 50
/** struct msghdr on 64-bit Linux: msg_name@0, msg_namelen@8, msg_iov@16, msg_iovlen@24, msg_control@32, msg_controllen@40. */
const MSGHDR_BYTES = 56
/** struct sockaddr_in6. */
const NAME_BYTES = 28
/** struct cmsghdr and struct in6_pktinfo (address@16, interface@32), with padding. */
const CONTROL_BYTES = 40
const PKTINFO_LENGTH = 36
const maximalDatagram = 65_535

const recvmsg = libc.func('int64 recvmsg(int fd, void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number
const sendmsg = libc.func('int64 sendmsg(int fd, const void *message, int flags)') as (fd: number, message: Buffer, flags: number) => number
const recv = libc.func('int64 recv(int fd, void *buffer, size_t length, int flags)') as (fd: number, buffer: Buffer, length: number, flags: number) => number
const send = libc.func('int64 send(int fd, const void *buffer, size_t length, int flags)') as (fd: number, buffer: Buffer, length: number, flags: number) => number

/** Who sent a datagram of IPv6, and to which address of this host: what its answer needs to come from there. */
export interface DatagramPeer {
  /** struct sockaddr_in6 */
  readonly name: Buffer
  /** struct in6_pktinfo as a control message; empty when the kernel told none. */
  readonly control: Buffer
}

/** Takes datagrams in and sends them, on one thread: its room is used again for each. */
export class Datagrams {
  readonly #data = Buffer.alloc(maximalDatagram)
  readonly #name = Buffer.alloc(NAME_BYTES)
  readonly #control = Buffer.alloc(CONTROL_BYTES)
  readonly #vector = Buffer.alloc(16)
  readonly #header = Buffer.alloc(MSGHDR_BYTES)

  /**
   * recvmsg(2), without waiting, on a socket that tells destinations.
   * @returns the datagram, valid until the next call, and its peer; undefined when there is none
   * @throws SyscallError
   */
  receiveFrom(fd: number): { readonly data: Buffer; readonly peer: DatagramPeer } | undefined {
    this.#describe(this.#data, this.#name, this.#control)
    const length = doorIfReady('recvmsg', () => ({ fd }), () => recvmsg(fd, this.#header, MSG_DONTWAIT))
    if (length === undefined) return undefined
    const told = Number(this.#header.readBigUInt64LE(40))
    return { data: this.#data.subarray(0, length), peer: { name: Buffer.from(this.#name), control: Buffer.from(this.#control.subarray(0, told)) } }
  }

  /** sendmsg(2) to a peer, from the address that it had sent to. @returns undefined when there is no room: the datagram is lost, as on a wire @throws SyscallError */
  sendTo(fd: number, data: Buffer, { name, control }: DatagramPeer): number | undefined {
    this.#describe(data, name, control)
    return doorIfReady('sendmsg', () => ({ fd, length: data.length }), () => sendmsg(fd, this.#header, MSG_DONTWAIT | MSG_NOSIGNAL))
  }

  /** recv(2) on a connected socket, without waiting. @returns the datagram, valid until the next call; undefined when there is none @throws SyscallError ECONNREFUSED when nobody is there */
  receive(fd: number): Buffer | undefined {
    const length = doorIfReady('recv', () => ({ fd }), () => recv(fd, this.#data, maximalDatagram, MSG_DONTWAIT))
    return length === undefined ? undefined : this.#data.subarray(0, length)
  }

  /** send(2) on a connected socket, without waiting. @throws SyscallError */
  send(fd: number, data: Buffer): number | undefined {
    return doorIfReady('send', () => ({ fd, length: data.length }), () => send(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL))
  }

  #describe(data: Buffer, name: Buffer, control: Buffer): void {
    this.#vector.writeBigUInt64LE(addressOf(data), 0)
    this.#vector.writeBigUInt64LE(BigInt(data.length), 8)
    this.#header.writeBigUInt64LE(addressOf(name), 0)
    this.#header.writeUInt32LE(name.length, 8)
    this.#header.writeBigUInt64LE(addressOf(this.#vector), 16)
    this.#header.writeBigUInt64LE(1n, 24)
    this.#header.writeBigUInt64LE(control.length === 0 ? 0n : addressOf(control), 32)
    this.#header.writeBigUInt64LE(BigInt(control.length), 40)
  }
}

/**
 * Lets an answer leave by the link that the routes say, not by the one that the question came in by; for a link-local address the two
 * are the same, and only the link tells whose it is.
 */
export function answerByRoute({ name, control }: DatagramPeer): DatagramPeer {
  if (control.length < PKTINFO_LENGTH || control.readInt32LE(8) !== SOL_IPV6 || control.readInt32LE(12) !== IPV6_PKTINFO) return { name, control: Buffer.alloc(0) }
  const free = Buffer.from(control)
  const linkLocal = free[16] === 0xfe && ((free[17] ?? 0) & 0xc0) === 0x80
  if (!linkLocal) free.writeUInt32LE(0, 32)
  return { name, control: free }
}
