import { isMacAddress } from '../arguments/addresses.ts'
import { cut, readCsv } from '../arguments/csv.ts'

/** One `--network`: a name, or `name=…,alias=…,ip=…`. */
export interface NetworkAttachment {
  readonly target: string
  readonly aliases: readonly string[]
  readonly links?: readonly string[]
  readonly driverOptions?: Readonly<Record<string, string>>
  readonly ipv4?: string
  readonly ipv6?: string
  readonly linkLocal?: readonly string[]
  readonly mac?: string
  readonly gatewayPriority?: number
}

/** The flags of the older notation, which go to the first network. */
export interface FirstNetwork {
  readonly aliases: readonly string[]
  readonly links: readonly string[]
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  readonly linkLocal: readonly string[]
  readonly mac: string | undefined
}

/** Reads one `--network`. @throws Error with docker's text */
export function readNetwork(given: string): NetworkAttachment {
  if (!/\w+=\w+/.test(given)) return { target: given, aliases: [] }
  let target = ''
  const aliases: string[] = []
  const driverOptions: Record<string, string> = {}
  const more: { ipv4?: string; ipv6?: string; mac?: string; linkLocal?: string[]; gatewayPriority?: number } = {}
  for (const field of readCsv(given)) {
    const [rawKey, value] = cut(field)
    const key = rawKey.trim().toLowerCase()
    if (value === undefined) throw new Error(`invalid field ${field}`)
    switch (key) {
      case 'name': target = value; break
      case 'alias': aliases.push(value); break
      case 'driver-opt': {
        const [option, setting] = cut(value)
        driverOptions[option.trim().toLowerCase()] = (setting ?? '').trim()
        break
      }
      case 'ip': more.ipv4 = value; break
      case 'ip6': more.ipv6 = value; break
      case 'mac-address':
        if (!isMacAddress(value)) throw new Error(`${value} is not a valid mac address`)
        more.mac = value
        break
      case 'link-local-ip': (more.linkLocal ??= []).push(value); break
      case 'gw-priority':
        if (!/^[+-]?[0-9]+$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`)
        more.gatewayPriority = Number(value)
        break
      default: throw new Error(`invalid field key ${key}`)
    }
  }
  if (target === '') throw new Error('network name/id is not specified')
  return { target, aliases, ...more, ...(Object.keys(driverOptions).length > 0 ? { driverOptions } : {}) }
}

/**
 * NetworkingConfig.EndpointsConfig for the networks asked for; the first takes what the older flags say.
 * @throws Error with docker's text
 */
export function endpoints(networks: readonly NetworkAttachment[], first: FirstNetwork): Record<string, object> {
  const wanted = networks.length === 0 ? [{ target: 'default', aliases: [] }] : networks
  const result: Record<string, object> = {}
  for (const [i, network] of wanted.entries()) {
    const merged = i === 0 ? merge(network, first) : network
    const endpoint = endpointOf(merged)
    if (Object.hasOwn(result, merged.target)) throw new Error(`network "${merged.target}" is specified multiple times`)
    result[merged.target] = endpoint
  }
  if (wanted.some(isUserDefined) && !wanted.every(isUserDefined)) {
    throw new Error('conflicting options: cannot attach both user-defined and non-user-defined network-modes')
  }
  // One network with nothing to say of it: HostConfig.NetworkMode says it all.
  const [only] = networks
  if (only !== undefined && networks.length === 1 && JSON.stringify(result[only.target]) === JSON.stringify(endpointOf({ target: only.target, aliases: [] }))) return {}
  return result
}

function isUserDefined({ target }: NetworkAttachment): boolean {
  return !['default', 'bridge', 'host', 'none', 'nat'].includes(target) && !target.startsWith('container:')
}

function merge(network: NetworkAttachment, first: FirstNetwork): NetworkAttachment {
  const both = (a: unknown, b: unknown, one: string, other: string): void => {
    if (a !== undefined && b !== undefined) throw new Error(`conflicting options: cannot specify both ${one} and per-network ${other}`)
  }
  const list = (items: readonly string[]): readonly string[] | undefined => (items.length > 0 ? items : undefined)
  both(list(network.aliases), list(first.aliases), '--network-alias', 'alias')
  both(network.ipv4, first.ipv4, '--ip', 'IPv4 address')
  both(network.ipv6, first.ipv6, '--ip6', 'IPv6 address')
  both(network.mac, first.mac, '--mac-address', 'MAC address')
  both(network.linkLocal, list(first.linkLocal), '--link-local-ip', 'link-local IP addresses')
  const ipv4 = network.ipv4 ?? first.ipv4
  const ipv6 = network.ipv6 ?? first.ipv6
  const mac = network.mac ?? first.mac
  const linkLocal = network.linkLocal ?? list(first.linkLocal)
  const links = isUserDefined(network) ? list(first.links) : undefined
  return {
    ...network,
    aliases: list(first.aliases) ?? network.aliases,
    ...(links === undefined ? {} : { links }),
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(mac === undefined ? {} : { mac }),
    ...(linkLocal === undefined ? {} : { linkLocal }),
  }
}

function endpointOf(network: NetworkAttachment): object {
  if (network.target.trim() === '') throw new Error('no name set for network')
  if (!isUserDefined(network) && network.aliases.length > 0) {
    throw new Error('network-scoped aliases are only supported for user-defined networks')
  }
  const ipam = {
    ...(network.ipv4 === undefined ? {} : { IPv4Address: network.ipv4 }),
    ...(network.ipv6 === undefined ? {} : { IPv6Address: network.ipv6 }),
    ...(network.linkLocal === undefined ? {} : { LinkLocalIPs: network.linkLocal }),
  }
  return {
    IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
    Links: network.links ?? null,
    Aliases: network.aliases.length === 0 ? null : network.aliases,
    MacAddress: network.mac ?? '',
    DriverOpts: network.driverOptions ?? null,
    GwPriority: network.gatewayPriority ?? 0,
    NetworkID: '', EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0,
    IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, DNSNames: null,
  }
}
