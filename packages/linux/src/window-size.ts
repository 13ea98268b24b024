import { EngineError } from './error.ts'
import { ioctl } from './ioctl.ts'

const TIOCSWINSZ = 0x5414
const largest = 0xffff

/**
 * ioctl_tty(2) TIOCSWINSZ: a terminal's size in characters; its foreground process group gets SIGWINCH.
 * @throws EngineError invalid-argument for what is no number from 0 to 65535; SyscallError
 */
export function setWindowSize(terminal: number, rows: number, columns: number): void {
  for (const value of [rows, columns]) {
    if (!Number.isInteger(value) || value < 0 || value > largest) throw new EngineError('invalid-argument', `invalid terminal size: ${rows} rows, ${columns} columns`)
  }
  const size = Buffer.alloc(8)
  size.writeUInt16LE(rows, 0)
  size.writeUInt16LE(columns, 2)
  ioctl(terminal, 'TIOCSWINSZ', TIOCSWINSZ, size, { rows, columns })
}
