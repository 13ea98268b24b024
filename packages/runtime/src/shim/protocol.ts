import { EngineError, type ErrorCode } from '@engine/linux'
import type { ActionRecord, ShimEvent } from './messages.ts'

/**
 * The wire between engined and shim: frames of {u32 little-endian length of what follows; u8 version; JSON in UTF-8}.
 * The shim first sends a hello; then engined sends requests, the shim answers each with a reply of the same id, and sends
 * events unasked. A shim of version N serves an engined of N-1: it answers in the version of the request.
 */
export const PROTOCOL_VERSION = 1
export const OLDEST_VERSION = 1

/** Specs are some 20 KB, and a birth's records some 60; what is longer is no message of ours. */
export const MAXIMUM_FRAME = 8 * 1024 * 1024

const HEADER_BYTES = 5

/** Sent by the shim to whoever connects. */
export interface Hello {
  readonly hello: {
    readonly pid: number
    /** Field 22 of /proc/<pid>/stat. */
    readonly startTime: string
    /** Path of the program that runs. */
    readonly program: string
    /** Counts the programs this process has been: 0, and one more for each upgrade. */
    readonly generation: number
    /** Which files of the program and of Node run (see build.ts); absent in the hello of older shims. */
    readonly build?: string | undefined
  }
}

export interface RequestMessage {
  readonly id: number
  readonly method: string
  readonly params: unknown
}

export interface ReplyError {
  readonly code: ErrorCode
  readonly message: string
  /** Present when a birth failed. */
  readonly birth?: { readonly errno: number; readonly step: string; readonly records: readonly ActionRecord[] }
}

export type ReplyMessage =
  | { readonly id: number; readonly result: unknown; readonly error?: never }
  | { readonly id: number; readonly error: ReplyError; readonly result?: never }

export type ShimMessage = Hello | ReplyMessage | ShimEvent

export function encodeFrame(message: RequestMessage | ShimMessage, version = PROTOCOL_VERSION): Buffer {
  const text = JSON.stringify(message)
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  frame.writeUInt32LE(length + 1, 0)
  frame.writeUInt8(version, 4)
  frame.write(text, HEADER_BYTES)
  return frame
}

export interface Frame {
  readonly version: number
  readonly message: unknown
}

/** Cuts a stream of bytes into frames. After it has thrown, the connection is of no more use. */
export class FrameDecoder {
  #pending: Buffer[] = []
  #length = 0

  /**
   * @returns the frames that are complete with these bytes
   * @throws EngineError invalid-argument for a frame too long, of a version not served, or that is not JSON
   */
  push(bytes: Buffer): Frame[] {
    this.#pending.push(bytes)
    this.#length += bytes.length
    const frames: Frame[] = []
    for (;;) {
      if (this.#length < HEADER_BYTES) return frames
      const header = this.#peek(HEADER_BYTES)
      const length = header.readUInt32LE(0)
      const version = header.readUInt8(4)
      if (length < 1 || length > MAXIMUM_FRAME) throw new EngineError('invalid-argument', `a message of ${length} bytes is out of bounds`)
      if (version < OLDEST_VERSION || version > PROTOCOL_VERSION) {
        throw new EngineError('invalid-argument', `messages of version ${version} are not understood, only ${OLDEST_VERSION} to ${PROTOCOL_VERSION}`)
      }
      if (this.#length < HEADER_BYTES - 1 + length) return frames
      const text = this.#peek(HEADER_BYTES - 1 + length).toString('utf8', HEADER_BYTES, HEADER_BYTES - 1 + length)
      this.#drop(HEADER_BYTES - 1 + length)
      frames.push({ version, message: parseJson(text) })
    }
  }

  /** The first bytes, in one piece. */
  #peek(length: number): Buffer {
    const [first] = this.#pending
    if (first !== undefined && first.length >= length) return first
    const whole = Buffer.concat(this.#pending)
    this.#pending = [whole]
    return whole
  }

  #drop(length: number): void {
    const rest = (this.#pending[0] as Buffer).subarray(length)
    this.#length -= length
    if (rest.length > 0) this.#pending[0] = rest
    else this.#pending.shift()
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new EngineError('invalid-argument', 'a message is not JSON', { cause })
  }
}
