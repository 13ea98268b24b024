/** Opcodes of RFC 6455, 5.2. */
export const Opcode = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const

/** Bytes that a control frame may carry (RFC 6455, 5.5). */
const controlLimit = 125

/** Why a connection is closed (RFC 6455, 7.4.1). */
export const CloseCode = { normal: 1000, protocolError: 1002 } as const

/** The peer does not speak the protocol. */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError'
}

/** The header of a whole, unmasked frame of `length` bytes, as a server sends it. */
export function serverFrameHeader(opcode: number, length: number): Buffer {
  const final = 0x80 | opcode
  if (length <= controlLimit) return Buffer.from([final, length])
  if (length < 0x10000) {
    const header = Buffer.from([final, 126, 0, 0])
    header.writeUInt16BE(length, 2)
    return header
  }
  const header = Buffer.alloc(10)
  header[0] = final
  header[1] = 127
  header.writeBigUInt64BE(BigInt(length), 2)
  return header
}

/** A piece of a data message, or a whole control frame. */
export type Received = { readonly kind: 'data'; readonly data: Buffer } | { readonly kind: 'close' | 'ping' | 'pong'; readonly data: Buffer }

/** Takes a client's bytes as they come; data is given piece by piece, however long its frame is. Where messages end means nothing here. */
export class ClientFrames {
  #pending: Buffer = Buffer.alloc(0)
  #left = 0n
  #mask: Buffer = Buffer.alloc(4)
  #at = 0
  #inMessage = false

  #unmask(piece: Buffer): Buffer {
    const plain = Buffer.alloc(piece.length)
    for (let i = 0; i < piece.length; i++) plain[i] = (piece[i] as number) ^ (this.#mask[(this.#at + i) & 3] as number)
    this.#at += piece.length
    return plain
  }

  /** @throws WebSocketError */
  *take(chunk: Buffer): Generator<Received, void, undefined> {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = Buffer.alloc(0)
    for (;;) {
      if (this.#left > 0n) {
        if (bytes.length === 0) return
        const piece = bytes.subarray(0, Number(this.#left < BigInt(bytes.length) ? this.#left : BigInt(bytes.length)))
        bytes = bytes.subarray(piece.length)
        this.#left -= BigInt(piece.length)
        yield { kind: 'data', data: this.#unmask(piece) }
        continue
      }
      const header = readHeader(bytes)
      if (header === undefined || (header.opcode >= Opcode.close && bytes.length < header.size + Number(header.length))) {
        this.#pending = Buffer.from(bytes)
        return
      }
      this.#begin(header)
      bytes = bytes.subarray(header.size)
      if (header.opcode < Opcode.close) {
        this.#left = header.length
        continue
      }
      const data = this.#unmask(bytes.subarray(0, Number(header.length)))
      bytes = bytes.subarray(data.length)
      yield { kind: header.opcode === Opcode.close ? 'close' : header.opcode === Opcode.ping ? 'ping' : 'pong', data }
    }
  }

  #begin({ opcode, final, mask }: Header): void {
    this.#mask = mask
    this.#at = 0
    if (opcode >= Opcode.close) return
    if ((opcode === Opcode.continuation) !== this.#inMessage) throw new WebSocketError(this.#inMessage ? 'a message begins within another' : 'a message goes on that has not begun')
    this.#inMessage = !final
  }
}

interface Header {
  readonly opcode: number
  readonly final: boolean
  readonly length: bigint
  readonly mask: Buffer
  /** Bytes of the header itself. */
  readonly size: number
}

/** @returns undefined while it is not whole */
function readHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < 2) return undefined
  const [first = 0, second = 0] = bytes
  const opcode = first & 0x0f
  const final = (first & 0x80) !== 0
  if ((first & 0x70) !== 0) throw new WebSocketError('no extension was agreed upon')
  if (!Object.values<number>(Opcode).includes(opcode)) throw new WebSocketError(`there is no opcode ${opcode}`)
  if ((second & 0x80) === 0) throw new WebSocketError('a client must mask its frames')
  const short = second & 0x7f
  if (opcode >= Opcode.close && (!final || short > controlLimit)) throw new WebSocketError('a control frame is short and whole')
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0
  const size = 2 + extra + 4
  if (bytes.length < size) return undefined
  const length = extra === 0 ? BigInt(short) : extra === 2 ? BigInt(bytes.readUInt16BE(2)) : bytes.readBigUInt64BE(2)
  if (length >= 1n << 63n) throw new WebSocketError('a frame is longer than there can be')
  return { opcode, final, length, mask: Buffer.from(bytes.subarray(size - 4, size)), size }
}
