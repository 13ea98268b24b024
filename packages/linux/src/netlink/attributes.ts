import { EngineError } from '../error.ts'

/** Set in an attribute's type when its payload is attributes again (NLA_F_NESTED, linux/netlink.h). */
export const NESTED = 0x8000
const typeMask = 0x3fff
const headerLength = 4

/** The attributes of one level: payloads by type. Of a type that comes twice the last one counts, as for the kernel. */
export type Attributes = ReadonlyMap<number, Buffer>

/**
 * One attribute (struct nlattr): u16 length, u16 type, payload, padding to 4 bytes.
 * @throws EngineError invalid-argument when the payload does not fit the 16-bit length (CVE-2021-43784 was such an overflow)
 */
export function writeAttribute(type: number, payload: Buffer): Buffer {
  const length = headerLength + payload.length
  if (length > 0xffff) throw new EngineError('invalid-argument', `netlink attribute ${type} is too long: ${payload.length} bytes`)
  const bytes = Buffer.alloc(align(length))
  bytes.writeUInt16LE(length, 0)
  bytes.writeUInt16LE(type, 2)
  payload.copy(bytes, headerLength)
  return bytes
}

/** An attribute whose payload is attributes. */
export function writeNested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return writeAttribute(type | NESTED, Buffer.concat(attributes))
}

export function writeU8(type: number, value: number): Buffer {
  return writeAttribute(type, Buffer.of(value))
}

export function writeU16(type: number, value: number): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16LE(value)
  return writeAttribute(type, payload)
}

export function writeU32(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(value >>> 0)
  return writeAttribute(type, payload)
}

/** A NUL-terminated string. */
export function writeString(type: number, value: string): Buffer {
  if (value.includes('\0')) throw new EngineError('invalid-argument', `netlink attribute ${type} holds a NUL byte`)
  return writeAttribute(type, Buffer.from(`${value}\0`))
}

/**
 * Reads attributes up to the end of `bytes`.
 * @throws EngineError internal when a length points outside of them
 */
export function parseAttributes(bytes: Buffer): Attributes {
  const attributes = new Map<number, Buffer>()
  let offset = 0
  while (offset + headerLength <= bytes.length) {
    const length = bytes.readUInt16LE(offset)
    if (length < headerLength || offset + length > bytes.length) {
      throw new EngineError('internal', `malformed netlink attribute: length ${length} at ${offset} of ${bytes.length}`)
    }
    attributes.set(bytes.readUInt16LE(offset + 2) & typeMask, bytes.subarray(offset + headerLength, offset + length))
    offset += align(length)
  }
  return attributes
}

export function readU8(attribute: Buffer | undefined): number | undefined {
  return attribute !== undefined && attribute.length >= 1 ? attribute.readUInt8(0) : undefined
}

export function readU32(attribute: Buffer | undefined): number | undefined {
  return attribute !== undefined && attribute.length >= 4 ? attribute.readUInt32LE(0) : undefined
}

export function readString(attribute: Buffer | undefined): string | undefined {
  if (attribute === undefined) return undefined
  const end = attribute.indexOf(0)
  return attribute.toString('utf8', 0, end < 0 ? attribute.length : end)
}

/** Attributes inside an attribute; none when it is missing. */
export function readNested(attribute: Buffer | undefined): Attributes {
  return attribute === undefined ? new Map() : parseAttributes(attribute)
}

function align(length: number): number {
  return (length + 3) & ~3
}
