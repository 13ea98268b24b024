import { EngineError } from '../error.ts'
import { parseAttributes, readNested, readString, readU32, writeAttribute, writeNested, writeString, writeU16, writeU32, writeU8 } from './attributes.ts'
import { formatMacAddress, parseMacAddress } from './ip-address.ts'

/** `ifi_flags` (netdevice(7)). */
export const LinkFlag = { UP: 0x1, LOOPBACK: 0x8, RUNNING: 0x40 } as const

const Ifla = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINK: 5, MASTER: 10, PROTINFO: 12, LINKINFO: 18, GROUP: 27, NET_NS_FD: 28, EXT_MASK: 29 } as const
const LinkInfo = { KIND: 1, DATA: 2 } as const
const vethPeer = 1
const AF_BRIDGE = 7
/** IFLA_BRPORT_MODE (linux/if_link.h). */
const brportMode = 4
/** Attributes of a kind's own (linux/if_link.h). */
const Macvlan = { MODE: 1 } as const
const Ipvlan = { MODE: 1, FLAGS: 2 } as const
const Vlan = { ID: 1 } as const

/** `IFLA_MACVLAN_MODE`. */
export const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const
/** `IFLA_IPVLAN_MODE`, and its flags. */
export const ipvlanModes = { l2: 0, l3: 1, l3s: 2 } as const
export const ipvlanFlags = { bridge: 0, private: 1, vepa: 2 } as const
/** RTEXT_FILTER_SKIP_STATS: leave the counters out of answers. */
const skipStatistics = 8
const headerLength = 16
const unspecified = 0

/** What a link shall be; what is left out stays as it is. */
export interface LinkSettings {
  /** The link to change; left out when it is named or made. */
  readonly index?: number
  /** At most 15 characters. */
  readonly name?: string
  readonly mac?: string
  readonly mtu?: number
  /** Index of the bridge it becomes a port of; 0 takes it out. */
  readonly master?: number
  readonly up?: boolean
  /** A number that sets of links are told by (`ip link show group N`); 0 is every link's at first. */
  readonly group?: number
  readonly kind?: 'bridge' | 'veth' | 'dummy' | 'macvlan' | 'ipvlan' | 'vlan'
  /** Index of the link that a macvlan, ipvlan or vlan lies on. */
  readonly parent?: number
  /** Descriptor of the network namespace that it is made in; names are that one's. The parent is looked for here. */
  readonly namespace?: number
  readonly macvlan?: keyof typeof macvlanModes
  readonly ipvlan?: { readonly mode: keyof typeof ipvlanModes; readonly flag: keyof typeof ipvlanFlags }
  /** 1 to 4094 */
  readonly vlan?: number
  /** The other end of a veth. */
  readonly peer?: { readonly name: string; readonly mac?: string; readonly mtu?: number; /** Descriptor of the network namespace it is made in. */ readonly namespace?: number }
}

/** A link as the kernel tells of it. */
export interface Link {
  readonly index: number
  readonly name: string
  readonly flags: number
  readonly up: boolean
  readonly mac: string | undefined
  readonly mtu: number
  /** Index of the bridge it is a port of. */
  readonly master: number | undefined
  /** The set of links it belongs to; 0 for none. */
  readonly group: number
  /** `bridge`, `veth`; undefined for hardware. */
  readonly kind: string | undefined
  /** Index of a veth's other end, in that one's namespace. */
  readonly peerIndex: number | undefined
}

/** The payload of RTM_NEWLINK and RTM_SETLINK: struct ifinfomsg and attributes. */
export function writeLink(settings: LinkSettings): Buffer {
  const attributes: Buffer[] = []
  if (settings.name !== undefined) attributes.push(writeString(Ifla.IFNAME, checkedLinkName(settings.name)))
  if (settings.mac !== undefined) attributes.push(writeAttribute(Ifla.ADDRESS, parseMacAddress(settings.mac)))
  if (settings.mtu !== undefined) attributes.push(writeU32(Ifla.MTU, settings.mtu))
  if (settings.master !== undefined) attributes.push(writeU32(Ifla.MASTER, settings.master))
  if (settings.group !== undefined) attributes.push(writeU32(Ifla.GROUP, settings.group))
  const info: Buffer[] = []
  if (settings.kind !== undefined) info.push(writeString(LinkInfo.KIND, settings.kind))
  const data = writeKindData(settings)
  if (data.length > 0) info.push(writeNested(LinkInfo.DATA, ...data))
  if (settings.parent !== undefined) attributes.push(writeU32(Ifla.LINK, settings.parent))
  if (settings.namespace !== undefined) attributes.push(writeU32(Ifla.NET_NS_FD, settings.namespace))
  if (info.length > 0) attributes.push(writeNested(Ifla.LINKINFO, ...info))
  return Buffer.concat([writeHeader(settings.index ?? 0, settings.up), ...attributes])
}

/** The payload of RTM_GETLINK or RTM_DELLINK for one link, by name or index. */
export function writeLinkQuery(which: { readonly name: string } | { readonly index: number }): Buffer {
  if ('index' in which) return Buffer.concat([writeHeader(which.index), writeU32(Ifla.EXT_MASK, skipStatistics)])
  return Buffer.concat([writeHeader(0), writeString(Ifla.IFNAME, checkedLinkName(which.name)), writeU32(Ifla.EXT_MASK, skipStatistics)])
}

/** The payload of a dump by RTM_GETLINK: all links, or the ports of one bridge (with NETLINK_GET_STRICT_CHK). */
export function writeLinkDump(master?: number): Buffer {
  const filters = master === undefined ? [] : [writeU32(Ifla.MASTER, master)]
  return Buffer.concat([writeHeader(0), ...filters, writeU32(Ifla.EXT_MASK, skipStatistics)])
}

/** The payload of RTM_SETLINK for a bridge's port: frames may leave by the port they came in by, which a bridge otherwise does not do. */
export function writeHairpin(index: number): Buffer {
  const header = writeHeader(index)
  header.writeUInt8(AF_BRIDGE, 0)
  return Buffer.concat([header, writeNested(Ifla.PROTINFO, writeU8(brportMode, 1))])
}

/** Reads the payload of RTM_NEWLINK as the kernel sends it. */
export function parseLink(payload: Buffer): Link {
  if (payload.length < headerLength) throw new EngineError('internal', `malformed link message: ${payload.length} bytes`)
  const attributes = parseAttributes(payload.subarray(headerLength))
  const flags = payload.readUInt32LE(8)
  const mac = attributes.get(Ifla.ADDRESS)
  return {
    index: payload.readInt32LE(4),
    name: readString(attributes.get(Ifla.IFNAME)) ?? '',
    flags,
    up: (flags & LinkFlag.UP) !== 0,
    mac: mac?.length === 6 ? formatMacAddress(mac) : undefined,
    mtu: readU32(attributes.get(Ifla.MTU)) ?? 0,
    master: readU32(attributes.get(Ifla.MASTER)),
    group: readU32(attributes.get(Ifla.GROUP)) ?? 0,
    kind: readString(readNested(attributes.get(Ifla.LINKINFO)).get(LinkInfo.KIND)),
    peerIndex: readU32(attributes.get(Ifla.LINK)),
  }
}

/**
 * A link's name, checked as the kernel does (dev_valid_name) and for characters that nftables' grammar or a shell could take for its own.
 * @throws EngineError invalid-argument
 */
export function checkedLinkName(name: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name)) throw new EngineError('invalid-argument', `invalid network interface name: ${JSON.stringify(name)}`)
  return name
}

function writeKindData({ peer, macvlan, ipvlan, vlan }: LinkSettings): Buffer[] {
  return [
    ...(peer === undefined ? [] : [writePeer(peer)]),
    ...(macvlan === undefined ? [] : [writeU32(Macvlan.MODE, macvlanModes[macvlan])]),
    ...(ipvlan === undefined ? [] : [writeU16(Ipvlan.MODE, ipvlanModes[ipvlan.mode]), writeU16(Ipvlan.FLAGS, ipvlanFlags[ipvlan.flag])]),
    ...(vlan === undefined ? [] : [writeU16(Vlan.ID, vlan)]),
  ]
}

function writePeer(peer: NonNullable<LinkSettings['peer']>): Buffer {
  const attributes = [writeString(Ifla.IFNAME, checkedLinkName(peer.name))]
  if (peer.mac !== undefined) attributes.push(writeAttribute(Ifla.ADDRESS, parseMacAddress(peer.mac)))
  if (peer.mtu !== undefined) attributes.push(writeU32(Ifla.MTU, peer.mtu))
  if (peer.namespace !== undefined) attributes.push(writeU32(Ifla.NET_NS_FD, peer.namespace))
  // IFF_UP in the peer's header is refused: it goes up in its own namespace, once it has its address.
  return writeNested(vethPeer, Buffer.concat([writeHeader(0), ...attributes]))
}

/** struct ifinfomsg: u8 family, u8 padding, u16 type, i32 index, u32 flags, u32 mask of flags to change. */
function writeHeader(index: number, up?: boolean): Buffer {
  const header = Buffer.alloc(headerLength)
  header.writeUInt8(unspecified, 0)
  header.writeInt32LE(index, 4)
  if (up !== undefined) {
    header.writeUInt32LE(up ? LinkFlag.UP : 0, 8)
    header.writeUInt32LE(LinkFlag.UP, 12)
  }
  return header
}
