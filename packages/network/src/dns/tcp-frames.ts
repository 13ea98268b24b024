/** A message as it goes by TCP: with its length before it (RFC 1035, 4.2.2). */
export function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(message.length)
  return Buffer.concat([head, message])
}

/** Puts the messages of a stream together. What it keeps is less than one message, 64 KiB. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0)

  /** @returns the messages that are whole now */
  push(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Buffer[] = []
    let offset = 0
    while (offset + 2 <= bytes.length && offset + 2 + bytes.readUInt16BE(offset) <= bytes.length) {
      const end = offset + 2 + bytes.readUInt16BE(offset)
      messages.push(bytes.subarray(offset + 2, end))
      offset = end
    }
    this.#rest = Buffer.from(bytes.subarray(offset))
    return messages
  }
}
