import { libc } from './libc.ts'
import { door } from './door.ts'

const SOL_SOCKET = 1
const SO_PEERCRED = 17

const getsockopt = libc.func('int getsockopt(int, int, int, void *, void *)') as (fd: number, level: number, name: number, value: Buffer, length: Buffer) => number

/** Who is at the other end of a unix socket, as it was when it connected (or listened): unix(7), SO_PEERCRED. */
export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** @param fd a connected unix socket */
export function peerCredentials(fd: number): PeerCredentials {
  const value = Buffer.alloc(12)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(12)
  door('getsockopt', () => ({ fd, option: 'SO_PEERCRED' }), () => getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length))
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) }
}
