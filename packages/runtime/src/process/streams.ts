import { closeSync } from 'node:fs'
import type { Program } from '@engine/linux/program'
import { setWindowSize } from '@engine/linux/window-size'
import type { OciProcess } from '../spec.ts'
import type { Stdio } from './birth.ts'
import { makeTerminal, type Terminal } from './terminal.ts'

const TIOCSCTTY = 0x540e

/** Standard streams as the child connects them. */
export interface Streams {
  readonly fds: readonly [stdin: number, stdout: number, stderr: number]
  readonly slave: number | undefined
  readonly master: number | undefined
  /** A detached devpts mount for the container, when its terminal is in it. */
  readonly devpts: number | undefined
}

/** Opens a terminal in a devpts of the container's own when one is asked for. Slave and devpts are held until the fork. */
export function openStreams(stdio: Stdio, held: (fd: number) => void, devptsData: () => readonly (readonly [string, string | undefined])[]): Streams {
  if (!('terminal' in stdio)) return { fds: [stdio.stdin, stdio.stdout, stdio.stderr], slave: undefined, master: undefined, devpts: undefined }
  const made = makeTerminal(devptsData())
  held(made.devpts)
  return { ...terminalStreams(made, stdio.terminal, held), devpts: made.devpts }
}

/** The streams of a process whose terminal is open already. */
export function terminalStreams({ master, slave }: Terminal, size: { readonly rows: number; readonly columns: number }, held: (fd: number) => void): Streams {
  held(slave)
  try {
    if (size.rows > 0 || size.columns > 0) setWindowSize(master, size.rows, size.columns)
  } catch (error) {
    closeSync(master)
    throw error
  }
  return { fds: [slave, slave, slave], slave, master, devpts: undefined }
}

/** Appends: the streams onto 0, 1 and 2; a terminal becomes the controlling one and belongs to the user. After setsid. */
export function connectStreams(program: Program, streams: Streams, process: OciProcess): void {
  if (streams.slave !== undefined) {
    program.call('fchown', [streams.slave, process.user.uid, -1], { args: { path: 'the terminal', uid: process.user.uid }, failure: 'error setting the terminal\'s owner' })
  }
  // dup3 gives descriptors that stay open over execve, which Node's own 0 to 2 are not.
  streams.fds.forEach((fd, i) => program.call('dup3', [fd, i, 0], { args: { fd: i }, quiet: true }))
  if (streams.slave !== undefined) program.call('ioctl', [0, TIOCSCTTY, 0], { args: { fd: 0, request: 'TIOCSCTTY' }, failure: 'error setting the controlling terminal' })
}
