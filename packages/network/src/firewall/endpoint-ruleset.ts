import { checkedLinkName, parseIpAddress, parseMacAddress } from '@engine/linux/netlink'
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

/** An endpoint's elements; empty when nothing is to be checked. Adding what is there already changes nothing. */
export function writeEndpoint(table: string, rules: EndpointRules): string {
  const elements = [...(rules.antiSpoofing ? checkedElements(table, rules) : []), ...(rules.interContainer ? [] : apartElements(table, rules))]
  return lines(...elements.map((element) => `add element ${element}`))
}

/** An endpoint's elements away, whether they are there or not: to add first makes the removal of a missing one no error. */
export function writeEndpointRemoval(table: string, rules: EndpointIdentity): string {
  return lines(...[...checkedElements(table, rules), ...apartElements(table, rules)].flatMap((element) => [`add element ${element}`, `delete element ${element}`]))
}

function checkedElements(table: string, rules: EndpointIdentity): string[] {
  const { link, bridge } = places(table, rules)
  const { mac, addresses } = rules
  if (mac === undefined || addresses === undefined) return [`${bridge} checked { ${link} }`]
  parseMacAddress(mac)
  const own = addresses.map((address) => `${bridge} ${parseIpAddress(address).length === 4 ? 'addresses' : 'addresses6'} { ${link} . ${mac} . ${address} }`)
  return [...own, ...neighbourElements(bridge, link, mac, addresses.filter((address) => address.includes(':'))), `${bridge} checked { ${link} }`]
}

/** What an endpoint with IPv6 needs to find its neighbours and be found: its link-local address, and none while that is looked for. */
function neighbourElements(bridge: string, link: string, mac: string, addresses: readonly string[]): string[] {
  if (addresses.length === 0) return []
  const local = linkLocalAddress(mac)
  return [
    ...[local, '::'].map((address) => `${bridge} addresses6 { ${link} . ${mac} . ${address} }`),
    ...[...addresses, local].map((address) => `${bridge} targets { ${link} . ${mac} . 0x${parseIpAddress(address).toString('hex')} }`),
  ]
}

function apartElements(table: string, rules: EndpointIdentity): string[] {
  const { link, bridge } = places(table, rules)
  return [`${bridge} apart { ${link} }`]
}

function places(table: string, rules: EndpointIdentity): { bridge: string; link: string } {
  return { bridge: `bridge ${checkedTableName(table)}`, link: `"${checkedLinkName(rules.hostInterface)}"` }
}
