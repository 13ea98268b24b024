const BLOCK = 512

/** An entry of an archive that comes from a container. */
export interface ReadEntry {
  readonly path: string
  readonly type: 'file' | 'hardlink' | 'symlink' | 'directory' | 'fifo' | 'other'
  readonly mode: number
  readonly size: number
  /** Seconds since the epoch, with a fraction. */
  readonly modified: number
  readonly linkTarget: string
  /** The content, to be read before the next entry. */
  readonly content: AsyncIterable<Buffer>
}

const types: Readonly<Record<string, ReadEntry['type']>> = { '0': 'file', '\0': 'file', '1': 'hardlink', '2': 'symlink', '5': 'directory', '6': 'fifo' }
/** Bytes that a header of a header may have. */
const MOST_EXTENDED = 1 << 20

/**
 * Reads a tar as the daemon (or Docker's) writes it: ustar with PAX and GNU headers.
 * @throws Error for what is no tar, or ends early
 */
export async function* readTar(chunks: AsyncIterable<Buffer>): AsyncGenerator<ReadEntry> {
  const source = new Source(chunks)
  const pax = new Map<string, string>()
  for (;;) {
    const header = await source.take(BLOCK)
    if (header.every((byte) => byte === 0)) return await source.drain()
    checkSum(header)
    const type = header.toString('latin1', 156, 157)
    const size = pax.has('size') && !'xgLK'.includes(type) ? Number(pax.get('size')) : number(header, 124, 12)
    if ('xgLK'.includes(type)) {
      if (size > MOST_EXTENDED) throw new Error('archive/tar: header field too long')
      const content = await source.take(size)
      await source.take(padding(size))
      if (type === 'L') pax.set('path', text(content))
      else if (type === 'K') pax.set('linkpath', text(content))
      else if (type === 'x') for (const [key, value] of paxRecords(content)) pax.set(key, value)
      continue
    }
    const kind = types[type] ?? 'other'
    const stored = kind === 'file' ? size : 0
    const content = source.piece(stored)
    yield {
      path: pax.get('path') ?? [field(header, 345, 155), field(header, 0, 100)].filter((part) => part !== '').join('/'),
      type: kind,
      mode: number(header, 100, 8) & 0o7777,
      size: stored,
      modified: Number(pax.get('mtime') ?? number(header, 136, 12)),
      linkTarget: pax.get('linkpath') ?? field(header, 157, 100),
      content,
    }
    pax.clear()
    for await (const _left of content) void _left
    await source.take(padding(stored))
  }
}

/** Takes a stream apart by lengths. */
class Source {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Exactly so many bytes. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for await (const part of this.piece(length)) parts.push(part)
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }

  /** The next so many bytes, as they come; what was read of it is gone. */
  piece(length: number): AsyncIterable<Buffer> {
    let left = length
    const next = async (): Promise<IteratorResult<Buffer>> => {
      if (left === 0) return { done: true, value: undefined }
      if (this.#rest.length === 0) this.#rest = await this.#more()
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      left -= part.length
      return { done: false, value: part }
    }
    return { [Symbol.asyncIterator]: () => ({ next }) }
  }

  /** Reads what follows the archive's end, so that the connection can be used again. */
  async drain(): Promise<void> {
    while ((await this.#chunks.next()).done !== true);
  }

  async #more(): Promise<Buffer> {
    for (;;) {
      const { done, value } = await this.#chunks.next()
      if (done === true) throw new Error('unexpected EOF')
      if (value.length > 0) return value
    }
  }
}

function checkSum(header: Buffer): void {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  if (sum !== number(header, 148, 8)) throw new Error('archive/tar: invalid tar header')
}

/** Octal digits, or GNU's binary form for what is too large for them. */
function number(header: Buffer, at: number, length: number): number {
  if ((header[at] as number) & 0x80) return Number(BigInt(`0x${header.toString('hex', at + 1, at + length)}`))
  return Number.parseInt(field(header, at, length).trim() || '0', 8)
}

function field(header: Buffer, at: number, length: number): string {
  return text(header.subarray(at, at + length))
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

/** `<length> <key>=<value>\n`, the length counting all of it. */
function* paxRecords(content: Buffer): Generator<[string, string]> {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const length = Number(content.toString('latin1', at, space))
    const equals = content.indexOf(0x3d, space)
    if (space < 0 || equals < 0 || !(length > 0)) throw new Error('archive/tar: invalid tar header')
    yield [content.toString('utf8', space + 1, equals), content.toString('utf8', equals + 1, at + length - 1)]
    at += length
  }
}
