import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { ProgressOutput } from '../output/progress.ts'

/** Writes to standard output. Synchronous: what is written is out when the process ends. */
export function print(data: string | Buffer): void {
  writeAll(1, data)
}

/** Writes to standard error. */
export function printError(data: string | Buffer): void {
  writeAll(2, data)
}

/**
 * process.stdout would do the same for files, pipes and terminals, but making it costs a command 3 ms of its start.
 * A reader that went away (`engine logs x | head`) ends the command, as SIGPIPE ends other programs.
 */
function writeAll(descriptor: 1 | 2, data: string | Buffer): void {
  let rest = typeof data === 'string' ? Buffer.from(data) : data
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') process.exit(141)
      // Somebody who shares the pipe has made it non-blocking, and it is full: wait for the reader.
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

/** Whether a descriptor (0, 1, 2) is a terminal. */
export function isTerminal(descriptor: number): boolean {
  return isatty(descriptor)
}

/** Standard output as a place for progress. */
export function standardOutput(): ProgressOutput {
  return { print, terminal: isTerminal(1), columns: () => process.stdout.columns }
}

/** Standard error as a place for progress. */
export function standardError(): ProgressOutput {
  return { print: printError, terminal: isTerminal(2), columns: () => process.stderr.columns }
}
