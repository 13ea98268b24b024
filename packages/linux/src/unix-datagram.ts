import { door } from './door.ts'
import { Descriptor } from './descriptor.ts'
import { EngineError } from './error.ts'
import { libc } from './libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** Bytes of `sun_path` in `struct sockaddr_un` (unix(7)). */
const PATH_BYTES = 108

const socket = libc.func('int socket(int domain, int type, int protocol)') as (domain: number, type: number, protocol: number) => number
const sendto = libc.func('int64 sendto(int fd, const void *buf, size_t len, int flags, const void *addr, uint32 addrlen)') as (
  fd: number, data: Buffer, length: number, flags: number, address: Buffer, addressLength: number,
) => number

/**
 * Sends one datagram to a unix socket (Node has none for unix sockets). Does not wait: a full receiver is an error.
 * @param path where the receiver is bound; a first `@` stands for the NUL byte of an abstract address
 * @throws EngineError invalid-argument when the path does not fit; SyscallError otherwise, EAGAIN when the receiver's queue is full
 */
export function sendUnixDatagram(path: string, data: Buffer): void {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  if (name.length === 0 || name.length >= PATH_BYTES) throw new EngineError('invalid-argument', `invalid socket address ${JSON.stringify(path)}`)
  const address = Buffer.alloc(2 + name.length + (name[0] === 0 ? 0 : 1))
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, 2)
  using fd = new Descriptor(door('socket', () => ({ domain: 'AF_UNIX', type: 'SOCK_DGRAM|SOCK_CLOEXEC' }), () => socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
  door(
    'sendto',
    () => ({ fd: fd.fd, length: data.length, address: path }),
    () => sendto(fd.fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length),
  )
}
