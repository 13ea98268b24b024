/** Which stream a frame belongs to, as its first byte says: 0 stdin (only echoed), 1 stdout, 2 stderr, 3 system error. */
export type FrameStream = 'stdin' | 'stdout' | 'stderr' | 'system'

export interface Frame {
  readonly stream: FrameStream
  readonly data: Buffer
}

const names: readonly FrameStream[] = ['stdin', 'stdout', 'stderr', 'system']

/** Content types that tell a client whether output is framed (API >= 1.42). */
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream'
export const RAW_STREAM = 'application/vnd.docker.raw-stream'

/** Bytes of a frame's header: `{u8 stream; u8 zero[3]; u32 length, big-endian}` (Docker API, "Attach to a container"). */
export const FRAME_HEADER = 8 as const

/** The header that goes before `length` bytes (at most 2^32 - 1) of a stream. */
export function frameHeader(stream: FrameStream, length: number): Buffer {
  const header = Buffer.alloc(FRAME_HEADER)
  writeFrameHeader(header, 0, stream, length)
  return header
}

/** The same, written to where its frame's data follow. */
export function writeFrameHeader(into: Buffer, at: number, stream: FrameStream, length: number): void {
  into[at] = names.indexOf(stream)
  into[at + 1] = into[at + 2] = into[at + 3] = 0
  into[at + 4] = length >>> 24
  into[at + 5] = (length >>> 16) & 0xff
  into[at + 6] = (length >>> 8) & 0xff
  into[at + 7] = length & 0xff
}

/** One whole frame. */
export function encodeFrame(stream: FrameStream, data: Buffer): Buffer {
  return Buffer.concat([frameHeader(stream, data.length), data])
}

/** Takes bytes as they come and gives the parts of frames they hold: a long frame is given piece by piece, nothing is gathered. */
export class FrameDecoder {
  readonly #header = Buffer.alloc(FRAME_HEADER)
  #headerBytes = 0
  #stream: FrameStream = 'stdout'
  #left = 0

  /**
   * @param chunk bytes from the wire; the frames returned are views of it
   * @throws RangeError when a frame names a stream that does not exist: the bytes are not frames
   */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const data = chunk.subarray(at, at + this.#left)
        at += data.length
        this.#left -= data.length
        frames.push({ stream: this.#stream, data })
        continue
      }
      const taken = chunk.copy(this.#header, this.#headerBytes, at, at + FRAME_HEADER - this.#headerBytes)
      at += taken
      this.#headerBytes += taken
      if (this.#headerBytes === FRAME_HEADER) this.#readHeader()
    }
    return frames
  }

  /** Whether the bytes so far end at a frame's end. */
  get complete(): boolean {
    return this.#left === 0 && this.#headerBytes === 0
  }

  #readHeader(): void {
    const stream = names[this.#header[0] ?? 0]
    if (stream === undefined) throw new RangeError(`unrecognized stream: ${this.#header[0]}`)
    this.#stream = stream
    this.#left = this.#header.readUInt32BE(4)
    this.#headerBytes = 0
  }
}

/** Frames of a byte stream, as they come. */
export async function* frames(source: AsyncIterable<Buffer>): AsyncIterable<Frame> {
  const decoder = new FrameDecoder()
  for await (const chunk of source) yield* decoder.push(chunk)
}

/** Whether output of this content type is framed (API >= 1.42, where the content type says so; a terminal's output never is). */
export function isFramed(contentType: string | undefined): boolean {
  return contentType === MULTIPLEXED_STREAM
}
