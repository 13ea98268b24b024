import { EngineError } from '../error.ts'
import { parseAttributes, readString, readU32 } from './attributes.ts'
import { formatIpAddress } from './ip-address.ts'

/** linux/fib_rules.h */
const Fra = { DST: 1, SRC: 2, IIFNAME: 3, PRIORITY: 6, FWMARK: 10, TABLE: 15, OIFNAME: 17, IP_PROTO: 22 } as const
const headerLength = 12
const invert = 2

/** What a rule does with a packet that it is for (`FR_ACT_*`). */
const actions = new Map([[1, 'lookup'], [2, 'goto'], [3, 'nop'], [6, 'blackhole'], [7, 'unreachable'], [8, 'prohibit']] as const)

/** A rule of policy routing (ip-rule(8)). What is undefined is not asked for. */
export interface RoutingRule {
  /** Rules are asked in this order, from 0. */
  readonly priority: number
  readonly action: 'lookup' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit' | 'other'
  readonly table: number
  readonly source: { readonly address: string; readonly prefix: number } | undefined
  readonly destination: { readonly address: string; readonly prefix: number } | undefined
  readonly iif: string | undefined
  readonly oif: string | undefined
  readonly mark: number | undefined
  /** Number of the transport protocol. */
  readonly protocol: number | undefined
  /** It is for what it does not describe (`not`). */
  readonly inverted: boolean
}

/** The payload of a dump by RTM_GETRULE. */
export function writeRuleDump(family: number): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(family, 0)
  return header
}

/** Reads the payload of RTM_NEWRULE: struct fib_rule_hdr (u8 family, destination and source prefix, tos, table, two reserved, action; u32 flags) and attributes. */
export function parseRule(payload: Buffer): RoutingRule {
  if (payload.length < headerLength) throw new EngineError('internal', `malformed rule message: ${payload.length} bytes`)
  const attributes = parseAttributes(payload.subarray(headerLength))
  const network = (type: number, prefix: number): RoutingRule['source'] => {
    const address = attributes.get(type)
    return address === undefined ? undefined : { address: formatIpAddress(address), prefix }
  }
  const name = (type: number): string | undefined => readString(attributes.get(type))
  const action: RoutingRule['action'] = actions.get(payload.readUInt8(7) as 1) ?? 'other'
  return {
    priority: readU32(attributes.get(Fra.PRIORITY)) ?? 0,
    action,
    table: readU32(attributes.get(Fra.TABLE)) ?? payload.readUInt8(4),
    destination: network(Fra.DST, payload.readUInt8(1)),
    source: network(Fra.SRC, payload.readUInt8(2)),
    iif: name(Fra.IIFNAME),
    oif: name(Fra.OIFNAME),
    mark: readU32(attributes.get(Fra.FWMARK)),
    protocol: attributes.get(Fra.IP_PROTO)?.readUInt8(0),
    inverted: (payload.readUInt32LE(8) & invert) !== 0,
  }
}
