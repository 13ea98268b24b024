import { closeSync, constants, fchownSync, openSync, rmSync, unlinkSync } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { setNonblocking } from '@engine/linux/descriptor-flags'
import { mkfifo, setPipeSize } from '@engine/linux/fifo'
import type { Stdio } from '../process/birth.ts'
import { openNullDevice } from './null-device.ts'

/** What a pipe holds at most: Docker's pipes have the kernel's default of 64 KiB; more lets a busy writer sleep less often. */
const PIPE_BYTES = 256 * 1024

const READ_END = constants.O_RDONLY | constants.O_NONBLOCK
const WRITE_END = constants.O_WRONLY | constants.O_NONBLOCK

/** The shim's ends of a process's FIFOs. */
export interface Fifos {
  readonly stdout: number
  readonly stderr: number
  /** Write end; absent without a standard input (then it is /dev/null). */
  readonly stdin?: number
}

/** FIFOs that were just made: the shim's ends, and the process's, which are to be closed after its birth. */
export interface MadeFifos {
  readonly ours: Fifos
  readonly theirs: Extract<Stdio, { stdin: number }>
}

const NAMES = ['stdin', 'stdout', 'stderr'] as const

/**
 * Makes the FIFOs of a process without a terminal.
 *
 * The process gets stdout and stderr open for reading and writing, so that it never sees EPIPE when nobody reads; the shim's end
 * sees their end when the last such descriptor is closed. They belong to the process's user, so that it can open /dev/stdout again.
 * @param owner the host uid of the process's user
 */
export function makeFifos(directory: string, owner: number, stdin: boolean): MadeFifos {
  const opened: number[] = []
  const open = (name: string, flags: number): number => {
    const fd = openSync(name, flags)
    opened.push(fd)
    return fd
  }
  const nullDevice = (): number => {
    const fd = openNullDevice()
    opened.push(fd)
    return fd
  }
  const output = (name: 'stdout' | 'stderr'): { ours: number; theirs: number } => {
    make(`${directory}/${name}`)
    const ours = open(`${directory}/${name}`, READ_END)
    const theirs = open(`${directory}/${name}`, constants.O_RDWR)
    fchownSync(theirs, owner, -1)
    enlarge(ours)
    return { ours, theirs }
  }
  try {
    const stdout = output('stdout')
    const stderr = output('stderr')
    if (!stdin) {
      return { ours: { stdout: stdout.ours, stderr: stderr.ours }, theirs: { stdin: nullDevice(), stdout: stdout.theirs, stderr: stderr.theirs } }
    }
    make(`${directory}/stdin`)
    // A write end can only be opened without waiting once there is a reader; the reader must not stay non-blocking.
    const read = open(`${directory}/stdin`, READ_END)
    const write = open(`${directory}/stdin`, WRITE_END)
    setNonblocking(read, false)
    fchownSync(read, owner, -1)
    return { ours: { stdout: stdout.ours, stderr: stderr.ours, stdin: write }, theirs: { stdin: read, stdout: stdout.theirs, stderr: stderr.theirs } }
  } catch (error) {
    for (const fd of opened) closeSync(fd)
    removeFifos(directory)
    throw error
  }
}

/**
 * Opens the FIFOs of a process that another shim made. What they hold is still there as long as the process (or engined) has them open.
 * @param stdin whether its standard input has not been closed
 */
export function reopenFifos(directory: string, stdin: boolean): Fifos {
  const stdout = openSync(`${directory}/stdout`, READ_END)
  let stderr: number
  try {
    stderr = openSync(`${directory}/stderr`, READ_END)
  } catch (error) {
    closeSync(stdout)
    throw error
  }
  const write = stdin ? openWriteEnd(`${directory}/stdin`) : undefined
  return write === undefined ? { stdout, stderr } : { stdout, stderr, stdin: write }
}

/** @returns undefined when nobody reads from it any more, or it is gone */
export function openWriteEnd(path: string): number | undefined {
  try {
    return openSync(path, WRITE_END)
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENXIO' || error.code === 'ENOENT')) return undefined
    throw error
  }
}

/** Removes the FIFOs' names; whoever has them open keeps them. */
export function removeFifos(directory: string): void {
  for (const name of NAMES) rmSync(`${directory}/${name}`, { force: true })
}

/** Makes a FIFO, in place of one that a start that failed may have left. */
function make(path: string): void {
  try {
    mkfifo(path, 0o600)
  } catch (error) {
    if (!failedWith(error, Errno.EEXIST)) throw error
    unlinkSync(path)
    mkfifo(path, 0o600)
  }
}

function enlarge(fd: number): void {
  try {
    setPipeSize(fd, PIPE_BYTES)
  } catch (error) {
    // EPERM: beyond the user's share of pipe memory (pipe(7)); the default size will do.
    if (!failedWith(error, Errno.EPERM, Errno.ENOMEM)) throw error
  }
}
