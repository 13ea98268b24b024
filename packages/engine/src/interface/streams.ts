import type { Writable } from 'node:stream'

/** One chunk of a container's output. A terminal's output is all `stdout`. */
export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Buffer
  /** To be called, if at all, when `data` is needed no more: its memory is then used again. Without it, it is garbage in its time. */
  readonly release?: (() => void) | undefined
}

/** How pieces of output are put one after the other into one buffer: the wire's affair, but done where they are read, without an object for each. */
export interface OutputFraming {
  /** Bytes that a piece's header takes, before it. */
  readonly headerBytes: 0 | 8
  writeHeader(into: Buffer, at: number, stream: OutputChunk['stream'], length: number): void
}

/** Bytes both ways between a client and a process. */
export interface Attachment {
  /** No frames on the wire: the process has a terminal. */
  readonly tty: boolean
  /** Ends when the process's output has ended or the client has detached. */
  readonly output: AsyncIterable<OutputChunk>
  /** Writes to the process's standard input; ending it closes that (per StdinOnce). Absent when stdin is not attached. */
  readonly stdin?: Writable
  /** Takes no more output; the process goes on. */
  detach(): void
}
