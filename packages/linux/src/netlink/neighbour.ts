import { EngineError } from '../error.ts'
import { parseAttributes, writeAttribute } from './attributes.ts'
import { familyOf, formatIpAddress, formatMacAddress, parseIpAddress, parseMacAddress } from './ip-address.ts'

const Nda = { DST: 1, LLADDR: 2 } as const
const headerLength = 12

/** `NUD_*` states (linux/neighbour.h). */
export const NeighbourState = { REACHABLE: 0x02, STALE: 0x04, FAILED: 0x20, PERMANENT: 0x80 } as const

/** Which MAC address an IP address has on a link (the ARP and ND tables). */
export interface Neighbour {
  readonly index: number
  readonly address: string
  /** undefined while it is asked for, or when nobody answered */
  readonly mac: string | undefined
  readonly state: number
}

/** The payload of RTM_NEWNEIGH and RTM_DELNEIGH: struct ndmsg (u8 family, 3 padding, i32 index, u16 state, u8 flags, u8 type). */
export function writeNeighbour(neighbour: Neighbour): Buffer {
  const address = parseIpAddress(neighbour.address)
  const attributes = [writeAttribute(Nda.DST, address)]
  if (neighbour.mac !== undefined) attributes.push(writeAttribute(Nda.LLADDR, parseMacAddress(neighbour.mac)))
  return Buffer.concat([writeHeader(familyOf(address), neighbour.index, neighbour.state), ...attributes])
}

/** The payload of a dump by RTM_GETNEIGH: all entries of one family. */
export function writeNeighbourDump(family: number): Buffer {
  return writeHeader(family, 0, 0)
}

/** Reads the payload of RTM_NEWNEIGH as the kernel sends it. */
export function parseNeighbour(payload: Buffer): Neighbour {
  if (payload.length < headerLength) throw new EngineError('internal', `malformed neighbour message: ${payload.length} bytes`)
  const attributes = parseAttributes(payload.subarray(headerLength))
  const address = attributes.get(Nda.DST)
  if (address === undefined) throw new EngineError('internal', 'malformed neighbour message: no address')
  const mac = attributes.get(Nda.LLADDR)
  return {
    index: payload.readInt32LE(4),
    address: formatIpAddress(address),
    mac: mac?.length === 6 ? formatMacAddress(mac) : undefined,
    state: payload.readUInt16LE(8),
  }
}

function writeHeader(family: number, index: number, state: number): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(family, 0)
  header.writeInt32LE(index, 4)
  header.writeUInt16LE(state, 8)
  return header
}
