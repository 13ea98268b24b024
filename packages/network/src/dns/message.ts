/** Types of records that are looked at (RFC 1035, 3596). */
export const RecordType = { A: 1, PTR: 12, MX: 15, AAAA: 28, OPT: 41 } as const
/** How a query ended (RFC 1035). */
export const ResponseCode = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const

const headerBytes = 12
const internet = 1
const flag = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const
const opcodeMask = 0x7800
/** What a client takes by UDP that does not say more. */
const plainUdpBytes = 512

/** A query as far as it is understood here; the rest of it is passed on as it is. */
export interface Query {
  readonly id: number
  readonly flags: number
  /** 0 is a plain query. */
  readonly opcode: number
  /** As it was written, without the last dot. */
  readonly name: string
  readonly type: number
  /** Bytes of the question in the message, which an answer repeats. */
  readonly question: Buffer
  /** Bytes that the client takes by UDP. */
  readonly udpBytes: number
}

/** A record of an answer. */
export type Answer = { readonly type: typeof RecordType.A | typeof RecordType.AAAA; readonly data: Buffer } | { readonly type: typeof RecordType.PTR; readonly name: string }

/** Reads a query; undefined for what is none: an answer, not one question of class IN, or not whole. */
export function parseQuery(bytes: Buffer): Query | undefined {
  if (bytes.length < headerBytes) return undefined
  const flags = bytes.readUInt16BE(2)
  if ((flags & flag.response) !== 0 || bytes.readUInt16BE(4) !== 1) return undefined
  const labels: string[] = []
  let offset = headerBytes
  for (;;) {
    const length = bytes[offset]
    // A question is the first name of a message: there is nothing that it could point to.
    if (length === undefined || length > 63 || offset + 1 + length > bytes.length) return undefined
    offset += 1
    if (length === 0) break
    labels.push(bytes.toString('latin1', offset, offset + length))
    offset += length
  }
  if (offset - headerBytes > 255 || offset + 4 > bytes.length || bytes.readUInt16BE(offset + 2) !== internet) return undefined
  const question = bytes.subarray(headerBytes, offset + 4)
  return { id: bytes.readUInt16BE(0), flags, opcode: (flags & opcodeMask) >> 11, name: labels.join('.'), type: bytes.readUInt16BE(offset), question, udpBytes: udpBytes(bytes, offset + 4) }
}

/**
 * An answer to a query.
 * @param limit bytes that it may have: records that do not fit are left out, and it is marked as cut
 */
export function writeResponse(query: Pick<Query, 'id' | 'flags' | 'question'>, code: number, answers: readonly Answer[], ttl: number, limit: number): Buffer {
  const records: Buffer[] = []
  let length = headerBytes + query.question.length
  for (const answer of answers) {
    const record = writeRecord(answer, ttl)
    if (length + record.length > limit) break
    records.push(record)
    length += record.length
  }
  const header = Buffer.alloc(headerBytes)
  header.writeUInt16BE(query.id, 0)
  const kept = query.flags & (opcodeMask | flag.recursionDesired)
  header.writeUInt16BE(flag.response | kept | flag.recursionAvailable | (records.length < answers.length ? flag.truncated : 0) | code, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, query.question, ...records])
}

/** Whether a message answers a query: its id, and its question. A server may write the name in other letters. */
export function answersQuery(bytes: Buffer, query: Pick<Query, 'question'>, id: number): boolean {
  if (bytes.length < headerBytes || bytes.readUInt16BE(0) !== id || (bytes.readUInt16BE(2) & flag.response) === 0) return false
  // An error may come without its question.
  if (bytes.readUInt16BE(4) === 0) return responseCode(bytes) !== ResponseCode.NOERROR
  const question = bytes.toString('latin1', headerBytes, headerBytes + query.question.length)
  return question.toLowerCase() === query.question.toString('latin1').toLowerCase()
}

export function responseCode(bytes: Buffer): number {
  return bytes.readUInt16BE(2) & 0xf
}

/** The address that a PTR query asks about: `2.0.18.172.in-addr.arpa`, or 32 digits before `ip6.arpa`; undefined for another name. */
export function reverseAddress(name: string): Buffer | undefined {
  const lower = name.toLowerCase()
  const [, four] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(lower) ?? []
  if (four !== undefined) {
    const parts = four.slice(0, -1).split('.').map(Number)
    return parts.every((part) => part <= 255) ? Buffer.from(parts.toReversed()) : undefined
  }
  const [, digits] = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(lower) ?? []
  return digits === undefined ? undefined : Buffer.from(digits.slice(0, -1).split('.').toReversed().join(''), 'hex')
}

function udpBytes(bytes: Buffer, offset: number): number {
  // In a query the OPT record stands right after the question, with a name of one zero byte (RFC 6891).
  const isOpt = bytes.readUInt16BE(10) > 0 && bytes.readUInt16BE(6) === 0 && bytes.readUInt16BE(8) === 0 && bytes[offset] === 0 && offset + 5 <= bytes.length && bytes.readUInt16BE(offset + 1) === RecordType.OPT
  return isOpt ? Math.max(plainUdpBytes, bytes.readUInt16BE(offset + 3)) : plainUdpBytes
}

function writeRecord(answer: Answer, ttl: number): Buffer {
  const data = answer.type === RecordType.PTR ? writeName(answer.name) : answer.data
  const head = Buffer.alloc(12)
  // The record's name is the question's.
  head.writeUInt16BE(0xc000 | headerBytes, 0)
  head.writeUInt16BE(answer.type, 2)
  head.writeUInt16BE(internet, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function writeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '').map((label) => Buffer.from(label, 'latin1').subarray(0, 63))
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)])
}
