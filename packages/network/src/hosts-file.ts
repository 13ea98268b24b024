import { EngineError } from '@engine/linux'
import { formatIpAddress, parseIpAddress } from '@engine/linux/netlink'

/** A name that a container's /etc/hosts gives an address. */
export interface HostEntry {
  readonly address: string
  /** One name, or several divided by spaces. */
  readonly names: string
}

export interface HostsFileSettings {
  readonly hostname: string
  /** Empty for none. */
  readonly domainname: string
  /** The container's own addresses; none without a network and in the host's. */
  readonly addresses: readonly string[]
  readonly extraHosts: readonly HostEntry[]
  /** The container's loopback has IPv6. */
  readonly ipv6: boolean
}

const loopbackIPv4: HostEntry = { address: '127.0.0.1', names: 'localhost' }
const wellKnownIPv6: readonly HostEntry[] = [
  { address: '::1', names: 'localhost ip6-localhost ip6-loopback' },
  { address: 'fe00::', names: 'ip6-localnet' },
  { address: 'ff00::', names: 'ip6-mcastprefix' },
  { address: 'ff02::1', names: 'ip6-allnodes' },
  { address: 'ff02::2', names: 'ip6-allrouters' },
]

/**
 * The content of a container's /etc/hosts, byte by byte as Docker 28 writes it: well-known names, the user's, and the container's
 * own, the full one first.
 */
export function writeHostsFile(settings: HostsFileSettings): string {
  const own = ownNames(settings.hostname, settings.domainname)
  const entries = [
    loopbackIPv4,
    ...(settings.ipv6 ? wellKnownIPv6 : []),
    ...settings.extraHosts.filter(({ address }) => settings.ipv6 || !address.includes(':')),
    ...settings.addresses.map((address) => ({ address, names: own })),
  ]
  return entries.map(({ address, names }) => `${address}\t${names}\n`).join('')
}

/**
 * A hosts file with the container's own addresses as they are now; every other line stays as it is.
 * @param settings what of them counts here
 */
export function updateHostsFile(content: string, settings: Pick<HostsFileSettings, 'hostname' | 'domainname' | 'addresses'>): string {
  const own = ownNames(settings.hostname, settings.domainname)
  const wanted = new Set(settings.addresses)
  const lines = content.split('\n').filter((line) => {
    const [address = '', names] = line.split('\t')
    return names !== own || wanted.delete(address)
  })
  const end = lines.at(-1) === '' ? lines.slice(0, -1) : lines
  return [...end, ...[...wanted].map((address) => `${address}\t${own}`), ''].join('\n')
}

/** The content of a container's /etc/hostname. */
export function writeHostnameFile(hostname: string): string {
  return `${hostname}\n`
}

/**
 * Reads HostConfig.ExtraHosts: `name:address`, where the address may be IPv6 (`six:fd00::1`) or the word `host-gateway`.
 * @param gateways what `host-gateway` stands for: the daemon's `host-gateway-ip`, or the default bridge's address
 * @throws EngineError invalid-argument with Docker's texts
 */
export function parseExtraHosts(extraHosts: readonly string[], gateways: readonly string[]): HostEntry[] {
  return extraHosts.flatMap((text) => {
    const colon = text.indexOf(':')
    const names = text.slice(0, colon)
    if (colon <= 0 || /[\s\0]/.test(text)) throw new EngineError('invalid-argument', `bad format for add-host: ${JSON.stringify(text)}`)
    const value = text.slice(colon + 1)
    if (value === 'host-gateway') {
      if (gateways.length === 0) throw new EngineError('invalid-argument', 'unable to derive the IP value for host-gateway')
      return gateways.map((address) => ({ address, names }))
    }
    return [{ address: checkedAddress(value), names }]
  })
}

function checkedAddress(text: string): string {
  const address = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  try {
    return formatIpAddress(parseIpAddress(address))
  } catch {
    throw new EngineError('invalid-argument', `invalid IP address in add-host: ${JSON.stringify(text)}`)
  }
}

/** The full name and, where that has parts, its first one: `foo.bar.example foo`. */
function ownNames(hostname: string, domainname: string): string {
  const full = domainname === '' ? hostname : `${hostname}.${domainname}`
  const dot = full.indexOf('.')
  return dot < 0 ? full : `${full} ${full.slice(0, dot)}`
}
