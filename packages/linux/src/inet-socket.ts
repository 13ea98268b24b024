import { Descriptor } from './descriptor.ts'
import { door, doorIfReady } from './door.ts'
import { Errno } from './errno.ts'
import { libc } from './libc.ts'
import { AddressFamily, formatIpAddress, parseIpAddress } from './netlink/ip-address.ts'
import { failedWith } from './syscall-error.ts'

const types = { udp: 2, tcp: 1, sctp: 1 } as const
/** Of a type that only one protocol has, the kernel knows the protocol (netinet/in.h). */
const protocols = { udp: 0, tcp: 0, sctp: 132 } as const
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const sockaddrBytes = 28
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_LINGER = 13
const SO_RCVBUFFORCE = 33
const SOL_TCP = 6
const TCP_NODELAY = 1
const SHUT_WR = 1
const SOL_IPV6 = 41
const IPV6_V6ONLY = 26
const IPV6_RECVPKTINFO = 49
/** linux/netfilter_ipv6/ip6_tables.h */
const IP6T_SO_ORIGINAL_DST = 80

/** Transport protocols. */
export type Transport = keyof typeof types

const socket = libc.func('int socket(int domain, int type, int protocol)') as (domain: number, type: number, protocol: number) => number
const setsockopt = libc.func('int setsockopt(int fd, int level, int option, const void *value, uint32 length)') as (fd: number, level: number, option: number, value: Buffer, length: number) => number
const getsockopt = libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)') as (fd: number, level: number, option: number, value: Buffer, length: Buffer) => number
const getsockname = libc.func('int getsockname(int fd, void *addr, void *length)') as (fd: number, address: Buffer, length: Buffer) => number
const bind = libc.func('int bind(int fd, const void *addr, uint32 length)') as (fd: number, address: Buffer, length: number) => number
const listen = libc.func('int listen(int fd, int backlog)') as (fd: number, backlog: number) => number
const accept4 = libc.func('int accept4(int fd, void *addr, void *length, int flags)') as (fd: number, address: null, length: null, flags: number) => number
const shutdown = libc.func('int shutdown(int fd, int how)') as (fd: number, how: number) => number
const connect = libc.func('int connect(int fd, const void *addr, uint32 length)') as (fd: number, address: Buffer, length: number) => number

/**
 * A socket of the network namespace that this thread is in, for Node to take over by its number; Node itself would make it in
 * the namespace that it is in when its event loop comes to it. Not blocking.
 * @throws SyscallError
 */
export function inetSocket(type: Transport, ipv6: boolean): Descriptor {
  const domain = ipv6 ? AddressFamily.IPv6 : AddressFamily.IPv4
  return new Descriptor(door('socket', () => ({ domain: ipv6 ? 'AF_INET6' : 'AF_INET', type }), () => socket(domain, types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, protocols[type])))
}

/**
 * How many bytes a socket keeps for its reader, beyond what unprivileged processes may have (SO_RCVBUFFORCE, socket(7)); the kernel
 * counts some 700 bytes for a small datagram.
 */
export function setReceiveBuffer(fd: number, bytes: number): void {
  const value = Buffer.alloc(4)
  value.writeInt32LE(bytes)
  door('setsockopt', () => ({ fd, option: 'SO_RCVBUFFORCE', bytes }), () => setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, value.length))
}

/**
 * A socket that keeps a port from other processes: bound, and listening where the protocol has it. One of IPv6 takes nothing of IPv4.
 * @throws SyscallError EADDRINUSE, EADDRNOTAVAIL, EPROTONOSUPPORT, EAFNOSUPPORT
 */
export function holdPort(protocol: Transport, address: string, port: number): Descriptor {
  const ipv6 = address.includes(':')
  const socket = inetSocket(protocol, ipv6)
  try {
    if (ipv6) takeIPv6Only(socket.fd)
    // What a server of before left in TIME_WAIT keeps nobody out; for UDP the option would let two have the port.
    if (protocol !== 'udp') switchOn(socket.fd, SOL_SOCKET, SO_REUSEADDR, 'SO_REUSEADDR')
    bindInet(socket.fd, address, port)
    if (protocol !== 'udp') listenInet(socket.fd, 1)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

/**
 * Where an IPv6 connection was going before a rule sent it to this socket (IP6T_SO_ORIGINAL_DST).
 * @param fd of the accepted socket
 * @throws SyscallError ENOENT when connection tracking does not know it
 */
export function originalDestination(fd: number): { readonly address: string; readonly port: number } {
  const value = Buffer.alloc(sockaddrBytes)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(sockaddrBytes)
  door('getsockopt', () => ({ fd, option: 'IP6T_SO_ORIGINAL_DST' }), () => getsockopt(fd, SOL_IPV6, IP6T_SO_ORIGINAL_DST, value, length))
  return { address: formatIpAddress(value.subarray(8, 24)), port: value.readUInt16BE(2) }
}

/** Tells with each datagram of IPv6 for which address it came (IPV6_RECVPKTINFO, ipv6(7)). */
export function tellDestinations(fd: number): void {
  switchOn(fd, SOL_IPV6, IPV6_RECVPKTINFO, 'IPV6_RECVPKTINFO')
}

/** A socket of IPv6 that takes nothing of IPv4 (IPV6_V6ONLY). Before it is bound. */
export function takeIPv6Only(fd: number): void {
  switchOn(fd, SOL_IPV6, IPV6_V6ONLY, 'IPV6_V6ONLY')
}

/** The port that a socket is bound to (getsockname(2)). */
export function localPort(fd: number): number {
  const name = Buffer.alloc(sockaddrBytes)
  const length = Buffer.from([sockaddrBytes, 0, 0, 0])
  door('getsockname', () => ({ fd }), () => getsockname(fd, name, length))
  return name.readUInt16BE(2)
}

function switchOn(fd: number, level: number, option: number, name: string): void {
  const on = Buffer.from([1, 0, 0, 0])
  door('setsockopt', () => ({ fd, option: name }), () => setsockopt(fd, level, option, on, on.length))
}

/** bind(2). @throws SyscallError EADDRINUSE, EADDRNOTAVAIL */
export function bindInet(fd: number, address: string, port: number): void {
  const bytes = socketAddress(address, port)
  door('bind', () => ({ fd, address, port }), () => bind(fd, bytes, bytes.length))
}

/** listen(2). @throws SyscallError */
export function listenInet(fd: number, backlog: number): void {
  door('listen', () => ({ fd, backlog }), () => listen(fd, backlog))
}

/** accept4(2), not blocking. @returns undefined when nobody waits @throws SyscallError ECONNABORTED, EMFILE */
export function acceptInet(fd: number): Descriptor | undefined {
  const accepted = doorIfReady('accept4', () => ({ fd }), () => accept4(fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC))
  return accepted === undefined ? undefined : new Descriptor(accepted)
}

/** Ends what is sent; what comes goes on (shutdown(2), SHUT_WR). @throws SyscallError ENOTCONN when the other side has broken off */
export function endSending(fd: number): void {
  door('shutdown', () => ({ fd, how: 'SHUT_WR' }), () => shutdown(fd, SHUT_WR))
}

/** What became of a socket's connect, or of its connection: 0, or the errno that it failed with; asking clears it (SO_ERROR, socket(7)). */
export function socketError(fd: number): number {
  const value = Buffer.alloc(4)
  const length = Buffer.from([4, 0, 0, 0])
  door('getsockopt', () => ({ fd, option: 'SO_ERROR' }), () => getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length))
  return value.readInt32LE()
}

/** What is written goes out at once (TCP_NODELAY, tcp(7)). */
export function sendAtOnce(fd: number): void {
  switchOn(fd, SOL_TCP, TCP_NODELAY, 'TCP_NODELAY')
}

/** The other side sees a reset when the socket is closed, as where nobody listens (SO_LINGER of 0 seconds, socket(7)). */
export function resetAtClose(fd: number): void {
  const value = Buffer.alloc(8)
  value.writeInt32LE(1)
  door('setsockopt', () => ({ fd, option: 'SO_LINGER', seconds: 0 }), () => setsockopt(fd, SOL_SOCKET, SO_LINGER, value, value.length))
}

/** connect(2), begun: whether it succeeds is seen when the socket is used. @throws SyscallError ENETUNREACH and others that are known at once */
export function connectInet(fd: number, address: string, port: number): void {
  const bytes = socketAddress(address, port)
  try {
    door('connect', () => ({ fd, address, port }), () => connect(fd, bytes, bytes.length))
  } catch (error) {
    if (!failedWith(error, Errno.EINPROGRESS)) throw error
  }
}

/** struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). */
function socketAddress(text: string, port: number): Buffer {
  const address = parseIpAddress(text)
  const bytes = Buffer.alloc(address.length === 4 ? 16 : sockaddrBytes)
  bytes.writeUInt16LE(address.length === 4 ? AddressFamily.IPv4 : AddressFamily.IPv6, 0)
  bytes.writeUInt16BE(port, 2)
  address.copy(bytes, address.length === 4 ? 4 : 8)
  return bytes
}
