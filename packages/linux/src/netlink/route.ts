import { EngineError } from '../error.ts'
import { parseAttributes, readU32, writeAttribute, writeU32 } from './attributes.ts'
import { AddressFamily, familyOf, formatIpAddress, parseIpAddress } from './ip-address.ts'

const Rta = { DST: 1, SRC: 2, IIF: 3, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, TABLE: 15 } as const
const headerLength = 12
const protocolBoot = 3
const unicast = 1
/** `RT_TABLE_MAIN`: the table that is asked unless rules say otherwise. */
export const mainTable = 254

/** What a route shall be. */
export interface RouteSettings {
  /** Address of the network; left out: the default route. */
  readonly destination?: { readonly address: string; readonly prefix: number }
  readonly gateway?: string
  /** For a default route without a gateway; else its addresses tell. */
  readonly ipv6?: boolean
  /** Index of the link it leaves by. */
  readonly index: number
  /** `RT_SCOPE_*`: 0 universe (by a gateway), 253 link. */
  readonly scope: number
}

/** A route as the kernel tells of it. */
export interface Route {
  /** undefined for a default route */
  readonly destination: { readonly address: string; readonly prefix: number } | undefined
  readonly gateway: string | undefined
  readonly index: number | undefined
  readonly table: number
  /** `RTN_*`: 1 unicast, 2 local, 3 broadcast. */
  readonly type: number
}

/**
 * The payload of RTM_NEWROUTE and RTM_DELROUTE: struct rtmsg (u8 family, destination and source prefix, tos, table, protocol,
 * scope, type; u32 flags) and attributes. Always in the main table.
 */
export function writeRoute(settings: RouteSettings): Buffer {
  const destination = settings.destination === undefined ? undefined : parseIpAddress(settings.destination.address)
  const gateway = settings.gateway === undefined ? undefined : parseIpAddress(settings.gateway)
  const known = destination ?? gateway
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(known === undefined ? (settings.ipv6 === true ? AddressFamily.IPv6 : AddressFamily.IPv4) : familyOf(known), 0)
  header.writeUInt8(settings.destination?.prefix ?? 0, 1)
  header.writeUInt8(mainTable, 4)
  header.writeUInt8(protocolBoot, 5)
  header.writeUInt8(settings.scope, 6)
  header.writeUInt8(unicast, 7)
  const attributes = [writeU32(Rta.OIF, settings.index)]
  if (destination !== undefined) attributes.push(writeAttribute(Rta.DST, destination))
  if (gateway !== undefined) attributes.push(writeAttribute(Rta.GATEWAY, gateway))
  return Buffer.concat([header, ...attributes])
}

/** `RTM_F_LOOKUP_TABLE`: the answer names the table that the route is in. The kernel does so for IPv6 always, and refuses the flag. */
const lookUpTable = 0x1000

/** A packet whose way is asked for. */
export interface RouteQuestion {
  readonly destination: string
  readonly source?: string | undefined
  /** Index of the link that it comes in by; left out, the namespace's own programs send it. */
  readonly from?: number | undefined
}

/** The payload of RTM_GETROUTE for one packet (`ip route get`). */
export function writeRouteQuestion({ destination, source, from }: RouteQuestion): Buffer {
  const [to, of] = [parseIpAddress(destination), source === undefined ? undefined : parseIpAddress(source)]
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(familyOf(to), 0)
  header.writeUInt8(to.length * 8, 1)
  header.writeUInt8((of?.length ?? 0) * 8, 2)
  if (to.length === 4) header.writeUInt32LE(lookUpTable, 8)
  const attributes = [writeAttribute(Rta.DST, to)]
  if (of !== undefined) attributes.push(writeAttribute(Rta.SRC, of))
  if (from !== undefined) attributes.push(writeU32(Rta.IIF, from))
  return Buffer.concat([header, ...attributes])
}

/** The payload of a dump by RTM_GETROUTE: routes of one family in all tables. */
export function writeRouteDump(family: number): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(family, 0)
  return header
}

/** Reads the payload of RTM_NEWROUTE as the kernel sends it. */
export function parseRoute(payload: Buffer): Route {
  if (payload.length < headerLength) throw new EngineError('internal', `malformed route message: ${payload.length} bytes`)
  const attributes = parseAttributes(payload.subarray(headerLength))
  const destination = attributes.get(Rta.DST)
  const gateway = attributes.get(Rta.GATEWAY)
  return {
    destination: destination === undefined ? undefined : { address: formatIpAddress(destination), prefix: payload.readUInt8(1) },
    gateway: gateway === undefined ? undefined : formatIpAddress(gateway),
    index: readU32(attributes.get(Rta.OIF)),
    table: readU32(attributes.get(Rta.TABLE)) ?? payload.readUInt8(4),
    type: payload.readUInt8(7),
  }
}
