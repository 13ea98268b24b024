import { isIPv4, isIPv6 } from 'node:net'
import { EngineError } from '../error.ts'

/** `AF_INET` and `AF_INET6`. */
export const AddressFamily = { IPv4: 2, IPv6: 10 } as const

/**
 * The bytes of an address in network order: 4 for IPv4, 16 for IPv6.
 * @throws EngineError invalid-argument for anything else, also for an address with a zone (`fe80::1%eth0`)
 */
export function parseIpAddress(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) throw new EngineError('invalid-argument', `invalid IP address: ${JSON.stringify(text)}`)
  const [head = '', tail] = text.split('::')
  const first = groups(head)
  const last = tail === undefined ? [] : groups(tail)
  const bytes = Buffer.alloc(16)
  first.forEach((value, index) => bytes.writeUInt16BE(value, index * 2))
  last.forEach((value, index) => bytes.writeUInt16BE(value, 16 - (last.length - index) * 2))
  return bytes
}

/** An address as text; IPv6 in RFC 5952's form. The counterpart of {@link parseIpAddress}. */
export function formatIpAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new EngineError('internal', `an IP address has 4 or 16 bytes, not ${bytes.length}`)
  const values = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2))
  const gap = longestZeroRun(values)
  const hex = (part: readonly number[]): string => part.map((value) => value.toString(16)).join(':')
  if (gap === undefined) return hex(values)
  return `${hex(values.slice(0, gap.start))}::${hex(values.slice(gap.start + gap.length))}`
}

/** AF_INET or AF_INET6 by an address's length. */
export function familyOf(bytes: Buffer): number {
  return bytes.length === 4 ? AddressFamily.IPv4 : AddressFamily.IPv6
}

/** `02:42:ac:11:00:02` to its six bytes. */
export function parseMacAddress(text: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new EngineError('invalid-argument', `invalid MAC address: ${text}`)
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

/** Six bytes to `02:42:ac:11:00:02`. */
export function formatMacAddress(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** 16-bit groups of one side of `::`; a last group in dotted form (`::ffff:1.2.3.4`) makes two. */
function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

function longestZeroRun(values: readonly number[]): { start: number; length: number } | undefined {
  let best: { start: number; length: number } | undefined
  for (let start = 0; start < values.length; start++) {
    let length = 0
    while (values[start + length] === 0) length++
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length }
  }
  return best
}
