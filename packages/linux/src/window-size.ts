import { libc } from './libc.ts'
import { door } from './door.ts'

const TIOCSWINSZ = 0x5414
const ioctl = libc.func('int ioctl(int, unsigned long, void *)') as (fd: number, request: number, argument: Buffer) => number

/** ioctl_tty(2) TIOCSWINSZ: a terminal's size in characters; its foreground process group gets SIGWINCH. */
export function setWindowSize(terminal: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8)
  size.writeUInt16LE(rows, 0)
  size.writeUInt16LE(columns, 2)
  door('ioctl', () => ({ fd: terminal, request: 'TIOCSWINSZ', rows, columns }), () => ioctl(terminal, TIOCSWINSZ, size))
}
