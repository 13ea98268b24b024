import { EngineError } from '@engine/linux'
import type { Program } from '@engine/linux/program'
import { setWindowSize } from '@engine/linux/window-size'
import type { BirthScope } from './begin.ts'
import type { Stdio } from './birth.ts'
import { passing } from './passage.ts'
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

/** Opens a terminal in a devpts of the container's own when one is asked for. Slave and devpts are held until the fork, the master is given away. */
export function openStreams(stdio: Stdio, scope: BirthScope, devptsData: () => readonly (readonly [string, string | undefined])[]): Streams {
  if (!('terminal' in stdio)) return { fds: [stdio.stdin, stdio.stdout, stdio.stderr], slave: undefined, master: undefined, devpts: undefined }
  const made = makeTerminal(devptsData())
  scope.hold(made.devpts)
  return { ...terminalStreams(made, stdio.terminal, scope), devpts: made.devpts }
}

/** The streams of a process whose terminal is open already. */
export function terminalStreams({ master, slave }: Terminal, size: { readonly rows: number; readonly columns: number }, scope: BirthScope): Streams {
  scope.hold(slave)
  scope.giveAway(master)
  if (size.rows > 0 || size.columns > 0) setWindowSize(master, size.rows, size.columns)
  return { fds: [slave, slave, slave], slave, master, devpts: undefined }
}

/** Appends: the streams onto 0, 1 and 2, first of all; a terminal then belongs to the user. @param owner the host's id of that one @throws EngineError for one that is in the way of another */
export function connectStreams(program: Program, streams: Streams, owner: number): void {
  if (streams.fds.some((fd) => fd <= 2)) throw new EngineError('internal', 'standard streams must be given by descriptors above 2')
  // dup3 gives descriptors that stay open over execve, which Node's own 0 to 2 are not.
  streams.fds.forEach((fd, i) => program.call('dup3', [fd, i, 0], { args: { fd: i }, quiet: true }))
  if (streams.slave === undefined) return
  program.call('fchown', [0, owner, -1], { args: { path: 'the terminal', uid: owner }, failure: 'error setting the terminal\'s owner' })
}

/** Appends: the terminal, if there is one, becomes the session's controlling one. After setsid. @param passage see passage.ts */
export function controlTerminal(program: Program, streams: Streams, passage: bigint | undefined): void {
  if (streams.slave !== undefined) program.call('ioctl', passing(passage, [0, TIOCSCTTY, 0]), { args: { fd: 0, request: 'TIOCSCTTY' }, failure: 'error setting the controlling terminal' })
}
