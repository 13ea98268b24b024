import { EngineError } from '@engine/linux'
import { formatIpAddress, parseIpAddress, parseMacAddress } from '@engine/linux/netlink'

/** An address with the length of its network's prefix: `172.17.0.1/16` as `{address: '172.17.0.1', prefix: 16}`. */
export interface Cidr {
  readonly address: string
  /** bits */
  readonly prefix: number
}

/**
 * Reads `172.17.0.1/16` or `fd00::/64`.
 * @throws EngineError invalid-argument, with Docker's text
 */
export function parseCidr(text: string): Cidr {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text)
  const bytes = match?.[1] === undefined ? undefined : parsed(match[1])
  const prefix = Number(match?.[2])
  if (bytes === undefined || prefix > bytes.length * 8) throw new EngineError('invalid-argument', `invalid CIDR address: ${text}`)
  return { address: formatIpAddress(bytes), prefix }
}

/** `172.17.0.1/16`. */
export function formatCidr(cidr: Cidr): string {
  return `${cidr.address}/${cidr.prefix}`
}

/** The network an address lies in: `172.17.0.1/16` gives `172.17.0.0/16`. */
export function networkOf(cidr: Cidr): Cidr {
  return { address: formatAddress(firstAddress(cidr), isIPv6(cidr)), prefix: cidr.prefix }
}

/** A network's last address; with IPv4 its broadcast address. */
export function broadcastOf(cidr: Cidr): string {
  return formatAddress(lastAddress(cidr), isIPv6(cidr))
}

/** Whether an address lies in a network; false when one is IPv4 and the other IPv6. */
export function contains(network: Cidr, address: string): boolean {
  return overlaps(network, { address, prefix: address.includes(':') ? 128 : 32 })
}

/** Whether two networks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return isIPv6(a) === isIPv6(b) && firstAddress(a) <= lastAddress(b) && firstAddress(b) <= lastAddress(a)
}

/** The link-local IPv6 address that a link with this MAC address gives itself (RFC 4291, modified EUI-64). */
export function linkLocalAddress(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = parseMacAddress(mac)
  return formatIpAddress(Buffer.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 0x02, b, c, 0xff, 0xfe, d, e, f))
}

/** A network's first address as a number. */
export function firstAddress(cidr: Cidr): bigint {
  const host = hostBits(cidr)
  return (addressNumber(cidr.address) >> host) << host
}

/** A network's last address as a number. */
export function lastAddress(cidr: Cidr): bigint {
  return firstAddress(cidr) + (1n << hostBits(cidr)) - 1n
}

export function isIPv6(cidr: Cidr): boolean {
  return cidr.address.includes(':')
}

/** An address as a number, the network order's first byte highest. */
export function addressNumber(address: string): bigint {
  return BigInt(`0x${parseIpAddress(address).toString('hex')}`)
}

/** The counterpart of {@link addressNumber}. */
export function formatAddress(value: bigint, ipv6: boolean): string {
  return formatIpAddress(Buffer.from(value.toString(16).padStart(ipv6 ? 32 : 8, '0'), 'hex'))
}

function hostBits(cidr: Cidr): bigint {
  return BigInt((isIPv6(cidr) ? 128 : 32) - cidr.prefix)
}

function parsed(address: string): Buffer | undefined {
  try {
    return parseIpAddress(address)
  } catch {
    return undefined
  }
}
