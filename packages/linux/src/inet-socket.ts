import { Descriptor } from './descriptor.ts'
import { door } from './door.ts'
import { Errno } from './errno.ts'
import { libc } from './libc.ts'
import { parseIpAddress, AddressFamily } from './netlink/ip-address.ts'
import { failedWith } from './syscall-error.ts'

const types = { udp: 2, tcp: 1 } as const
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const sockaddrBytes = 28
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33

const socket = libc.func('int socket(int domain, int type, int protocol)') as (domain: number, type: number, protocol: number) => number
const setsockopt = libc.func('int setsockopt(int fd, int level, int option, const void *value, uint32 length)') as (fd: number, level: number, option: number, value: Buffer, length: number) => number
const bind = libc.func('int bind(int fd, const void *addr, uint32 length)') as (fd: number, address: Buffer, length: number) => number
const listen = libc.func('int listen(int fd, int backlog)') as (fd: number, backlog: number) => number
const connect = libc.func('int connect(int fd, const void *addr, uint32 length)') as (fd: number, address: Buffer, length: number) => number

/**
 * A socket of the network namespace that this thread is in, for Node to take over by its number; Node itself would make it in
 * the namespace that it is in when its event loop comes to it. Not blocking.
 * @throws SyscallError
 */
export function inetSocket(type: keyof typeof types, ipv6: boolean): Descriptor {
  const domain = ipv6 ? AddressFamily.IPv6 : AddressFamily.IPv4
  return new Descriptor(door('socket', () => ({ domain: ipv6 ? 'AF_INET6' : 'AF_INET', type }), () => socket(domain, types[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)))
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

/** bind(2). @throws SyscallError EADDRINUSE, EADDRNOTAVAIL */
export function bindInet(fd: number, address: string, port: number): void {
  const bytes = socketAddress(address, port)
  door('bind', () => ({ fd, address, port }), () => bind(fd, bytes, bytes.length))
}

/** listen(2). @throws SyscallError */
export function listenInet(fd: number, backlog: number): void {
  door('listen', () => ({ fd, backlog }), () => listen(fd, backlog))
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
