import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { EngineError } from '@engine/linux'
import { chooseSubnet, claimAddress, createAddressPool, defaultSubnetPools, formatCidr, hostNetworks, isIPv6, overlaps, parseCidr, parseResolvConf, readHostResolvConf, type Cidr, type SubnetPool } from '@engine/network'
import type { EngineOptions } from '../interface.ts'
import type { IpamPool, NetworkSettings } from './networks-table.ts'

/** The pools that subnets are taken from when a user names none: the configuration's, and for IPv6 a prefix of this engine's own. */
export function subnetPools(options: Pick<EngineOptions, 'addressPools'>, id: string): { readonly ipv4: readonly SubnetPool[]; readonly ipv6: readonly SubnetPool[] } {
  const given = options.addressPools.map(({ base, size }) => ({ base: parseCidr(base), size }))
  const [ipv4, ipv6] = [given.filter(({ base }) => !isIPv6(base)), given.filter(({ base }) => isIPv6(base))]
  return { ipv4: ipv4.length === 0 ? defaultSubnetPools : ipv4, ipv6: ipv6.length === 0 ? [{ base: uniqueLocalPrefix(id), size: 64 }] : ipv6 }
}

/** A unique local prefix (RFC 4193) of 48 bits that another host hardly has: it comes from the engine's id, as Docker's from its own. */
function uniqueLocalPrefix(id: string): Cidr {
  const hex = createHash('sha256').update(id).digest('hex')
  return parseCidr(`fd${hex.slice(0, 2)}:${hex.slice(2, 6)}:${hex.slice(6, 10)}::/48`)
}

/**
 * Adds a subnet of each family that the network has and the user named none of; and looks whether those that were named are free.
 * @param taken subnets of the other networks
 * @param isolated families without a gateway, unless the user names one
 * @param resolvConf as in the configuration
 * @throws EngineError forbidden, unavailable in Docker's words
 */
export function completePools(given: readonly IpamPool[], families: { readonly ipv4: boolean; readonly ipv6: boolean }, pools: ReturnType<typeof subnetPools>, taken: readonly Cidr[], isolated: ReadonlySet<'ipv4' | 'ipv6'>, resolvConf?: string): IpamPool[] {
  for (const { subnet } of given) {
    if (taken.some((other) => overlaps(other, parseCidr(subnet)))) throw new EngineError('forbidden', 'invalid pool request: Pool overlaps with other one on this address space')
  }
  for (const pool of given) checkReserved(pool, isolated.has(pool.subnet.includes(':') ? 'ipv6' : 'ipv4'))
  const complete = [...given]
  for (const family of ['ipv4', 'ipv6'] as const) {
    if (!families[family] || given.some(({ subnet }) => subnet.includes(':') === (family === 'ipv6'))) continue
    const subnet = chooseSubnet(pools[family], [...taken, ...hostNetworks(), ...nameservers(resolvConf), ...complete.map((pool) => parseCidr(pool.subnet))])
    complete.push({ subnet: formatCidr(subnet), ...(isolated.has(family) ? {} : { gateway: createAddressPool({ subnet }).gateway }), chosen: true })
  }
  return complete
}

/** A gateway and auxiliary addresses are leases like others': no two of them are the same, nor the subnet's own. */
function checkReserved({ subnet: text, range, gateway: named, auxiliary = {} }: IpamPool, isolated: boolean): void {
  const subnet = parseCidr(text)
  const claim = (what: string, address: string, taken: ReadonlySet<string>): string => {
    try {
      return claimAddress({ subnet }, taken, address)
    } catch (cause) {
      throw new EngineError('internal', `failed to allocate ${what}${address}): ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }
  const taken = new Set<string>()
  if (named !== undefined) taken.add(claim('gateway (', named, taken))
  else if (!isolated) taken.add(createAddressPool({ subnet, range: range === undefined ? undefined : parseCidr(range) }).gateway)
  for (const [name, address] of Object.entries(auxiliary)) taken.add(claim(`secondary ip address (${name}:`, address, taken))
}

/** The host's nameservers, which no subnet of ours may hide. */
function nameservers(resolvConf: string | undefined): Cidr[] {
  return parseResolvConf(readHostResolvConf(false, resolvConf)?.content ?? '').nameservers.filter((address) => isIP(address) !== 0).map((address) => ({ address, prefix: address.includes(':') ? 128 : 32 }))
}

/** One family's subnet of a network, as its driver takes it. */
export interface FamilySubnet {
  /** The gateway's address with prefix length. */
  readonly address: string
  readonly range: string | undefined
  readonly reserved: readonly string[]
  /** The user has named a gateway, or it was chosen when the network was made. */
  readonly hasGateway: boolean
  /** The router that containers are told of, where it is not the gateway (`--aux-address DefaultGatewayIPv4=…`). */
  readonly router: string | undefined
}

export function familySubnet(settings: Pick<NetworkSettings, 'pools'>, family: 'ipv4' | 'ipv6'): FamilySubnet | undefined {
  const pool = settings.pools.find(({ subnet }) => subnet.includes(':') === (family === 'ipv6'))
  if (pool === undefined) return undefined
  const subnet = parseCidr(pool.subnet)
  const { gateway } = createAddressPool({ subnet, range: pool.range === undefined ? undefined : parseCidr(pool.range), gateway: pool.gateway })
  const auxiliary = pool.auxiliary ?? {}
  return {
    address: `${gateway}/${subnet.prefix}`,
    range: pool.range,
    reserved: Object.values(auxiliary),
    hasGateway: pool.gateway !== undefined,
    router: auxiliary[family === 'ipv4' ? 'DefaultGatewayIPv4' : 'DefaultGatewayIPv6'],
  }
}
