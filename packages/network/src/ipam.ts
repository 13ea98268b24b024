import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { formatMacAddress } from '@engine/linux/netlink'
import { addressNumber, broadcastOf, contains, firstAddress, formatAddress, formatCidr, isIPv6, lastAddress, networkOf, overlaps, type Cidr } from './cidr.ts'

/** The addresses that a network hands out. Leases are the caller's to keep; nothing here has state. */
export interface AddressPool {
  readonly subnet: Cidr
  /** Part of the subnet that containers get addresses from (`--ip-range`, `fixed-cidr`); the whole subnet when left out. */
  readonly range?: Cidr | undefined
  /** Given to nobody; none where the network has no router. */
  readonly gateway?: string | undefined
  /** Addresses that are given to nobody (`--aux-address`). */
  readonly reserved?: readonly string[] | undefined
}

/** A base network that is cut into subnets of `size` bits (daemon.json's `default-address-pools`). */
export interface SubnetPool {
  readonly base: Cidr
  readonly size: number
}

/** Docker's own pools, for when the configuration names none. */
export const defaultSubnetPools: readonly SubnetPool[] = [
  { base: { address: '172.17.0.0', prefix: 16 }, size: 16 },
  { base: { address: '172.18.0.0', prefix: 16 }, size: 16 },
  { base: { address: '172.19.0.0', prefix: 16 }, size: 16 },
  { base: { address: '172.20.0.0', prefix: 14 }, size: 16 },
  { base: { address: '172.24.0.0', prefix: 14 }, size: 16 },
  { base: { address: '172.28.0.0', prefix: 14 }, size: 16 },
  { base: { address: '192.168.0.0', prefix: 16 }, size: 20 },
]

/**
 * A pool, checked: range and gateway lie in the subnet. Without a gateway it is the first address of the range or subnet, as
 * with Docker.
 * @throws EngineError invalid-argument
 */
export function createAddressPool(settings: { readonly subnet: Cidr; readonly range?: Cidr | undefined; readonly gateway?: string | undefined; readonly reserved?: readonly string[] | undefined }): AddressPool & { readonly gateway: string } {
  const subnet = networkOf(settings.subnet)
  const { range } = settings
  if (range !== undefined && (range.prefix < subnet.prefix || !contains(subnet, range.address))) {
    throw new EngineError('invalid-argument', `invalid subnet ${formatCidr(subnet)}: it does not contain the range ${formatCidr(range)}`)
  }
  const gateway = settings.gateway ?? formatAddress(firstUsable(range ?? subnet, subnet), isIPv6(subnet))
  if (!contains(subnet, gateway)) throw new EngineError('invalid-argument', `no matching subnet for gateway ${gateway}`)
  return { subnet, range, gateway, reserved: settings.reserved }
}

/**
 * The lowest address of the pool that is free, which is the one Docker 28 gives.
 * @param used addresses with a lease, as text in canonical form
 * @param from all below are known to be taken
 * @throws EngineError unavailable when all are taken
 */
export function allocateAddress(pool: AddressPool, used: ReadonlySet<string>, from = 0n): string {
  const range = pool.range ?? pool.subnet
  const ipv6 = isIPv6(pool.subnet)
  const [first, last] = [firstUsable(range, pool.subnet), lastUsable(range, pool.subnet)]
  for (let candidate = from > first ? from : first; candidate <= last; candidate++) {
    const address = formatAddress(candidate, ipv6)
    if (address !== pool.gateway && !used.has(address) && pool.reserved?.includes(address) !== true) return address
  }
  throw new EngineError('unavailable', `no available addresses on this pool: ${formatCidr(range)}`)
}

/**
 * An address that a user asks for (`--ip`), checked. It may lie outside the range, but not outside the subnet.
 * @returns it in canonical form
 * @throws EngineError invalid-argument when it cannot be a container's here, forbidden when it is taken; Docker's texts
 */
export function claimAddress(pool: AddressPool, used: ReadonlySet<string>, wanted: string): string {
  const address = formatAddress(addressNumber(wanted), wanted.includes(':'))
  if (!contains(pool.subnet, address)) throw new EngineError('invalid-argument', `no configured subnet contains IP address ${address}`)
  const value = addressNumber(address)
  const own = value < firstUsable(pool.subnet, pool.subnet) || value > lastUsable(pool.subnet, pool.subnet)
  if (own || address === pool.gateway || used.has(address) || pool.reserved?.includes(address) === true) throw new EngineError('forbidden', 'Address already in use')
  return address
}

/**
 * The first subnet of the pools that touches none of `taken`: other networks' subnets and where the host's routes lead.
 * @throws EngineError invalid-argument with Docker's text
 */
export function chooseSubnet(pools: readonly SubnetPool[], taken: readonly Cidr[]): Cidr {
  for (const { base, size } of pools) {
    const bits = isIPv6(base) ? 128 : 32
    if (size < base.prefix || size > bits) throw new EngineError('invalid-argument', `invalid address pool ${formatCidr(base)}: size ${size}`)
    const step = 1n << BigInt(bits - size)
    const end = lastAddress(base)
    let start = firstAddress(base)
    while (start <= end) {
      const subnet: Cidr = { address: formatAddress(start, isIPv6(base)), prefix: size }
      const obstacle = taken.find((network) => overlaps(network, subnet))
      if (obstacle === undefined) return subnet
      // A large obstacle is stepped over at once: a /8 in the way of /30s would else be a million steps.
      const after = lastAddress(obstacle) + 1n
      start = after > start + step ? firstAddress(base) + ((after - firstAddress(base) + step - 1n) / step) * step : start + step
    }
  }
  throw new EngineError('invalid-argument', 'all predefined address pools have been fully subnetted')
}

/**
 * The MAC address that goes with an IPv4 address, 02:42 and its four bytes, as Docker made it for years: the same address has
 * the same MAC, so that no neighbour's table is stale when a container takes over another's address.
 */
export function macAddressFor(address: string): string {
  if (address.includes(':')) return randomMacAddress()
  const bytes = addressNumber(address).toString(16).padStart(8, '0').slice(-8)
  return `02:42:${(bytes.match(/../g) ?? []).join(':')}`
}

/** A MAC address that is nobody's: of one host (not a group), made here (not by a manufacturer). */
export function randomMacAddress(): string {
  const bytes = randomBytes(6)
  bytes.writeUInt8((bytes.readUInt8(0) & 0xfc) | 0x02, 0)
  return formatMacAddress(bytes)
}

/** An IPv4 subnet's first address is its own name and the last one its broadcast; a /31 and a /32 have neither (RFC 3021). */
function firstUsable(range: Cidr, subnet: Cidr): bigint {
  const first = firstAddress(range)
  return first === firstAddress(subnet) && hasOwnName(subnet) ? first + 1n : first
}

function lastUsable(range: Cidr, subnet: Cidr): bigint {
  const last = lastAddress(range)
  return !isIPv6(subnet) && hasOwnName(subnet) && broadcastOf(range) === broadcastOf(subnet) ? last - 1n : last
}

function hasOwnName(subnet: Cidr): boolean {
  return subnet.prefix < (isIPv6(subnet) ? 127 : 31)
}
