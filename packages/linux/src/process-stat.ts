import { readFileSync } from 'node:fs'
import { Errno } from './errno.ts'
import { SyscallError } from './syscall-error.ts'
import { decodeWaitStatus, type ProcessEnd } from './wait.ts'

/** What proc_pid_stat(5) says of a process. */
export interface ProcessStat {
  /** `R`, `S`, `Z`, … */
  readonly state: string
  /** Clock ticks after boot, as the decimal text: with the pid it names a process for as long as the machine runs. */
  readonly startTime: string
  /** How it ended, once it is a zombie. */
  readonly end?: ProcessEnd
}

/** Takes /proc/<pid>/stat apart. The name in field 2 may hold spaces and parentheses: what counts is its last `)`. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).trimEnd().split(' ')
  const state = fields[0]
  const startTime = fields[19]
  const exitCode = fields[49]
  if (state === undefined || startTime === undefined) return undefined
  return state === 'Z' && exitCode !== undefined ? { state, startTime, end: decodeWaitStatus(Number(exitCode)) } : { state, startTime }
}

/**
 * @returns undefined when there is no such process
 * @throws SyscallError when this cannot be told: no descriptor left (EMFILE), no memory
 */
export function processStat(pid: number): ProcessStat | undefined {
  const text = readOf(pid, 'stat')
  return text === undefined ? undefined : parseProcessStat(text)
}

/**
 * The arguments a process was started with, as it shows them now; a zombie has none.
 * @returns undefined when there is no such process
 * @throws SyscallError as `processStat`
 */
export function processArguments(pid: number): string[] | undefined {
  return readOf(pid, 'cmdline')?.split('\0').slice(0, -1)
}

function readOf(pid: number, file: string): string | undefined {
  const path = `/proc/${pid}/${file}`
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    const errno = error instanceof Error && 'errno' in error ? -Number(error.errno) : 0
    // ESRCH: it has gone between open and read.
    if (errno === Errno.ENOENT || errno === Errno.ESRCH) return undefined
    throw errno > 0 ? new SyscallError('read', { path }, errno) : error
  }
}
