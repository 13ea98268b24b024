import { EngineError } from '../error.ts'
import { parseAttributes, writeAttribute } from './attributes.ts'
import { familyOf, formatIpAddress, parseIpAddress } from './ip-address.ts'

const Ifa = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 } as const
/** IFA_F_NODAD: an IPv6 address is used at once, nobody is asked whether it is a duplicate. */
const noDuplicateDetection = 0x02
const headerLength = 8

/** An address of a link. */
export interface LinkAddress {
  /** Index of the link. */
  readonly index: number
  readonly address: string
  /** Bits of the prefix. */
  readonly prefix: number
  /** `RT_SCOPE_*`: 0 universe, 253 link, 254 host. */
  readonly scope: number
  readonly broadcast?: string | undefined
}

/** The payload of RTM_NEWADDR and RTM_DELADDR (without duplicate detection: addresses are given out by us alone): struct ifaddrmsg (u8 family, prefix, flags, scope; u32 index) and attributes. */
export function writeAddress(settings: LinkAddress): Buffer {
  const address = parseIpAddress(settings.address)
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(familyOf(address), 0)
  header.writeUInt8(settings.prefix, 1)
  if (address.length === 16) header.writeUInt8(noDuplicateDetection, 2)
  header.writeUInt8(settings.scope, 3)
  header.writeUInt32LE(settings.index, 4)
  const attributes = [writeAttribute(Ifa.LOCAL, address), writeAttribute(Ifa.ADDRESS, address)]
  if (settings.broadcast !== undefined) attributes.push(writeAttribute(Ifa.BROADCAST, parseIpAddress(settings.broadcast)))
  return Buffer.concat([header, ...attributes])
}

/** The payload of a dump by RTM_GETADDR: addresses of one family, of all links (index 0) or one (with NETLINK_GET_STRICT_CHK). */
export function writeAddressDump(family: number, index = 0): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(family, 0)
  header.writeUInt32LE(index, 4)
  return header
}

/** Reads the payload of RTM_NEWADDR as the kernel sends it. */
export function parseAddress(payload: Buffer): LinkAddress {
  if (payload.length < headerLength) throw new EngineError('internal', `malformed address message: ${payload.length} bytes`)
  const attributes = parseAttributes(payload.subarray(headerLength))
  // IFA_ADDRESS is the other end's on point-to-point links; IFA_LOCAL is missing for IPv6.
  const address = attributes.get(Ifa.LOCAL) ?? attributes.get(Ifa.ADDRESS)
  if (address === undefined) throw new EngineError('internal', 'malformed address message: no address')
  const broadcast = attributes.get(Ifa.BROADCAST)
  return {
    index: payload.readUInt32LE(4),
    address: formatIpAddress(address),
    prefix: payload.readUInt8(1),
    scope: payload.readUInt8(3),
    broadcast: broadcast === undefined ? undefined : formatIpAddress(broadcast),
  }
}
