import { closeSync } from 'node:fs'
import { door } from '@engine/linux'
import { libc } from '@engine/linux/libc'

const socket = libc.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number
const bind = libc.func('int bind(int, const void *, uint32)') as (fd: number, address: Buffer, length: number) => number
const recv = libc.func('int64 recv(int, void *, size_t, int)') as (fd: number, buffer: Buffer, length: number, flags: number) => number
const MSG_DONTWAIT = 0x40

/** The receiving end of a unix datagram socket, as systemd has one. */
export class UnixDatagrams {
  readonly path: string
  readonly #fd: number

  constructor(path: string) {
    this.path = path
    this.#fd = door('socket', () => ({}), () => socket(1, 2, 0))
    const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(path), Buffer.alloc(1)])
    door('bind', () => ({ path }), () => bind(this.#fd, address, address.length))
  }

  /** The next datagram; undefined when there is none. */
  receive(): string | undefined {
    const buffer = Buffer.alloc(4096)
    const length = recv(this.#fd, buffer, buffer.length, MSG_DONTWAIT)
    return length < 0 ? undefined : buffer.toString('utf8', 0, length)
  }

  close(): void {
    closeSync(this.#fd)
  }
}
