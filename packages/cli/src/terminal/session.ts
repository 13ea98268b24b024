import type { Hijacked } from '../connection/client.ts'
import { FrameDecoder } from '@engine/api/client'
import { DetachWatch, readDetachKeys } from './detach-keys.ts'
import { rawMode } from './raw-mode.ts'
import { print, printError } from './output.ts'

export interface SessionOptions {
  /** The process has a terminal: output is not framed, and ours becomes raw. */
  readonly tty: boolean
  /** Pass our standard input on. */
  readonly stdin: boolean
  /** As `--detach-keys` gave them; undefined takes ctrl-p, ctrl-q. */
  readonly detachKeys?: string | undefined
}

/** How a session ended: the process's output ended, or the user typed the detach keys. */
export type SessionEnd = 'ended' | 'detached'

/**
 * Joins our standard streams to a process's until its output ends. End of our input closes the process's and leaves the output
 * running. The terminal is as it was before when this settles.
 */
export async function runSession({ socket, head }: Pick<Hijacked, 'socket' | 'head'>, options: SessionOptions): Promise<SessionEnd> {
  using cleanup = new DisposableStack()
  const terminal = options.tty && options.stdin && process.stdin.isTTY
  if (terminal) cleanup.use(await rawMode(process.stdin))
  return await new Promise<SessionEnd>((resolve, reject) => {
    const write = options.tty ? print : demultiplex()
    if (head.length > 0) write(head)
    socket.on('data', write)
    socket.on('end', () => resolve('ended'))
    socket.on('close', () => resolve('ended'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A process that ends while we are still sending it input is no failure.
      if (error.code === 'EPIPE' || error.code === 'ECONNRESET') resolve('ended')
      else reject(error)
    })
    if (options.stdin) cleanup.use(feed(socket, options, () => resolve('detached')))
    socket.resume()
  }).finally(() => socket.destroy())
}

/** Passes standard input on; half-closes at its end. */
function feed(socket: Hijacked['socket'], options: SessionOptions, detach: () => void): Disposable {
  const { stdin } = process
  const watch = options.tty && stdin.isTTY ? new DetachWatch(keysOrDefault(options.detachKeys)) : undefined
  const onData = (data: Buffer): void => {
    const { pass, detached } = watch?.push(data) ?? { pass: data, detached: false }
    if (pass.length > 0 && !socket.write(pass)) {
      stdin.pause()
      socket.once('drain', () => stdin.resume())
    }
    if (detached) detach()
  }
  const onEnd = (): void => void socket.end()
  stdin.on('data', onData)
  stdin.on('end', onEnd)
  // Standard input that is closed or not readable counts as empty.
  stdin.on('error', onEnd)
  return {
    [Symbol.dispose]() {
      stdin.off('data', onData)
      stdin.off('end', onEnd)
      stdin.pause()
    },
  }
}

function keysOrDefault(sequence: string | undefined): number[] {
  try {
    return readDetachKeys(sequence ?? '')
  } catch (error) {
    printError(`WARNING: invalid detach escape keys, using default: ${(error as Error).message}\n`)
    return readDetachKeys('')
  }
}

/** A writer that parts frames into standard output and error. Neighbouring frames of one stream go out in one write. */
export function demultiplex(out: (data: Buffer) => void = print, err: (data: Buffer) => void = printError): (data: Buffer) => void {
  const decoder = new FrameDecoder()
  return (data) => {
    let run: Buffer[] = []
    let stream = ''
    const flush = (): void => {
      if (run.length > 0) (stream === 'stderr' || stream === 'system' ? err : out)(run.length === 1 ? (run[0] as Buffer) : Buffer.concat(run))
      run = []
    }
    for (const frame of decoder.push(data)) {
      if (frame.stream !== stream) flush()
      stream = frame.stream
      run.push(frame.data)
    }
    flush()
  }
}

/** Refuses a terminal session on something that is none, as docker does. @throws Error */
export function checkTerminal(stdin: boolean, tty: boolean): void {
  if (stdin && tty && !process.stdin.isTTY) throw new Error('the input device is not a TTY')
}
