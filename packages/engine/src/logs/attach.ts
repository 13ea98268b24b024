import { Transform, type Writable } from 'node:stream'
import type { Attachment, OutputChunk } from '../interface.ts'
import { DetachKeyScanner } from './detach-keys.ts'
import { ProcessInput, type InputEnd } from './process-input.ts'
import type { Subscription } from './types.ts'

export interface AttachOptions {
  readonly tty: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  /** The process's output from now on; absent when only its log is wanted. */
  readonly subscription?: Subscription
  /** What is given before that: its log. */
  readonly before?: AsyncIterable<OutputChunk>
  readonly stdin?: {
    readonly open: () => Promise<InputEnd>
    /** Closes the process's standard input at the shim; called at the client's end of input when `once`. */
    readonly close: () => Promise<void>
    /** The container's StdinOnce; true for an exec. */
    readonly once: boolean
  }
  /** From parseDetachKeys; they are looked for on a terminal only, as Docker does. */
  readonly detachKeys: readonly number[]
  /** The client has detached by its keys. */
  readonly onDetach: () => void
}

/**
 * Attaches to a process: its output, and a writer to its standard input.
 *
 * As with Docker, the end of the client's input closes the process's when it is to be closed once and is no terminal; otherwise it
 * ends the attachment.
 */
export function attach(options: AttachOptions): Attachment {
  const { tty, subscription, stdin } = options
  const end = (): void => subscription?.end()
  const attachment = { tty, output: output(options), detach: end }
  if (stdin === undefined) return attachment
  const input = new ProcessInput({
    open: stdin.open,
    ended: async () => {
      if (stdin.once && !tty) await stdin.close()
      else end()
    },
  })
  return { ...attachment, stdin: tty ? withDetachKeys(input, options, end) : input }
}

async function* output({ stdout, stderr, subscription, before }: AttachOptions): AsyncGenerator<OutputChunk, void, undefined> {
  try {
    for (const source of [before, subscription]) {
      if (source === undefined) continue
      for await (const chunk of source) {
        if (chunk.stream === 'stdout' ? stdout : stderr) yield chunk
      }
    }
  } finally {
    subscription?.end()
  }
}

/** A stream before `input` that takes the detach keys out. */
function withDetachKeys(input: ProcessInput, { detachKeys, onDetach }: AttachOptions, end: () => void): Writable {
  const scanner = new DetachKeyScanner(detachKeys)
  let detached = false
  const keys = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (detached) {
        done()
        return
      }
      const scanned = scanner.scan(chunk)
      if (scanned.data.length > 0) this.push(scanned.data)
      if (scanned.detached) {
        detached = true
        onDetach()
        end()
      }
      done()
    },
  })
  keys.pipe(input)
  keys.once('close', () => {
    if (!keys.readableEnded) input.destroy()
  })
  input.once('error', (error) => keys.destroy(error))
  return keys
}
