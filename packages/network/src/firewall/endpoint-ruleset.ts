import { checkedLinkName, parseIpAddress, parseMacAddress, type ElementChange } from '@engine/linux/netlink'
import { linkLocalAddress } from '../cidr.ts'
import { checkedTableName, lines } from './nft-text.ts'

/** What the firewall does for one endpoint. */
export interface EndpointRules {
  /** Name of the veth's end on the host. */
  readonly hostInterface: string
  readonly mac: string
  /** Of both families. */
  readonly addresses: readonly string[]
  /** Only frames with this MAC and these addresses come out of the container. */
  readonly antiSpoofing: boolean
  /** As in the network's rules. */
  readonly interContainer: boolean
}

/** What names an endpoint's elements. Without MAC and address those that hold them are left alone. */
export interface EndpointIdentity {
  readonly hostInterface: string
  readonly mac?: string | undefined
  readonly addresses?: readonly string[] | undefined
}

/** A set's element: its key in parts, of which the names of links are known to be such. */
interface Element {
  readonly set: string
  readonly key: readonly KeyPart[]
}

/** How a part is written, and what the kernel has of it. */
interface KeyPart {
  readonly text: string
  readonly bytes: Buffer
}

/** A change of elements, in nft's language and as the kernel takes it. */
export interface EndpointChange {
  /** '' for none. */
  readonly text: string
  readonly elements: readonly ElementChange[]
}

/** An endpoint's elements; none when nothing is to be checked. Adding what is there already changes nothing. */
export function writeEndpoint(table: string, rules: EndpointRules): EndpointChange {
  const elements = [...(rules.antiSpoofing ? checkedElements(rules) : []), ...(rules.interContainer ? [] : apartElements(rules))]
  return changes(table, elements, ['add'])
}

/** An endpoint's elements away, whether they are there or not: to add first makes the removal of a missing one no error. */
export function writeEndpointRemoval(table: string, rules: EndpointIdentity): EndpointChange {
  return changes(table, [...checkedElements(rules), ...apartElements(rules)], ['add', 'delete'])
}

function changes(table: string, elements: readonly Element[], each: readonly ElementChange['change'][]): EndpointChange {
  const bridge = `bridge ${checkedTableName(table)}`
  return {
    text: lines(...elements.flatMap(({ set, key }) => each.map((change) => `${change} element ${bridge} ${set} { ${key.map(({ text }) => text).join(' . ')} }`))),
    elements: elements.flatMap(({ set, key }) => each.map((change) => ({ change, set, key: Buffer.concat(key.map(({ bytes }) => bytes)) }))),
  }
}

function checkedElements(rules: EndpointIdentity): Element[] {
  const link = linkPart(rules.hostInterface)
  const { mac, addresses } = rules
  const checked = { set: 'checked', key: [link] }
  if (mac === undefined || addresses === undefined) return [checked]
  const own = addresses.map((address) => ({ set: parseIpAddress(address).length === 4 ? 'addresses' : 'addresses6', key: [link, macPart(mac), addressPart(address)] }))
  return [...own, ...neighbourElements(link, mac, addresses.filter((address) => address.includes(':'))), checked]
}

/** What an endpoint with IPv6 needs to find its neighbours and be found: its link-local address, and none while that is looked for. */
function neighbourElements(link: KeyPart, mac: string, addresses: readonly string[]): Element[] {
  if (addresses.length === 0) return []
  const local = linkLocalAddress(mac)
  return [
    ...[local, '::'].map((address) => ({ set: 'addresses6', key: [link, macPart(mac), addressPart(address)] })),
    // What nft calls them depends on its version: it is a number there.
    ...[...addresses, local].map((address) => ({ set: 'targets', key: [link, macPart(mac), { ...addressPart(address), text: `0x${parseIpAddress(address).toString('hex')}` }] })),
  ]
}

function apartElements(rules: EndpointIdentity): Element[] {
  return [{ set: 'apart', key: [linkPart(rules.hostInterface)] }]
}

/** IFNAMSIZ bytes. */
function linkPart(name: string): KeyPart {
  const bytes = Buffer.alloc(16)
  bytes.write(checkedLinkName(name), 'latin1')
  return { text: `"${name}"`, bytes }
}

function macPart(mac: string): KeyPart {
  return { text: mac, bytes: Buffer.concat([parseMacAddress(mac), Buffer.alloc(2)]) }
}

function addressPart(address: string): KeyPart {
  return { text: address, bytes: parseIpAddress(address) }
}
