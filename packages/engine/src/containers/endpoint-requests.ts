import { isIP } from 'node:net'
import { EngineError } from '@engine/linux'
import { contains, isIPv6, isUnspecified, parseCidr, parseEndpointSysctls, type Cidr } from '@engine/network'
import type { NetworkRegistry } from '../networks/network-registry.ts'
import { isPredefined, type NetworkRecord } from '../networks/networks-table.ts'
import type { EndpointSettings, HostConfigView } from '../types/container-config.ts'
import type { EndpointRequest } from './container.ts'

/**
 * What a client asks of the endpoints of a container that is created, by network name; checked as far as the networks are there.
 * @param mac what the container's configuration asks for, for the first network
 * @throws EngineError invalid-argument in Docker's words
 */
export function endpointRequests(networks: NetworkRegistry, host: HostConfigView, given: Readonly<Record<string, EndpointSettings>>, mac: string): Record<string, EndpointRequest> {
  const mode = host.NetworkMode
  if (mode.startsWith('container:')) {
    // Docker looks at them, and then does nothing with them.
    for (const [name, settings] of Object.entries(given)) checkedRequest(undefined, name, settings, '', `invalid config for network ${name}: `)
    return {}
  }
  const first = nameOf(networks, mode)
  // What is asked of `default` is not held against the subnets of the network that this is.
  const unnamed = mode === 'bridge' && Object.hasOwn(given, 'default')
  const asked = new Map(Object.entries(given).map(([ref, settings]) => [ref === 'default' && mode === 'bridge' ? 'bridge' : nameOf(networks, ref), settings]))
  if (!asked.has(first)) asked.set(first, {})
  const alone = ['none', 'host'].find((name) => asked.has(name))
  if (alone !== undefined && asked.size > 1) {
    throw new EngineError('invalid-argument', alone === 'host' ? 'conflicting options: host type networking cannot be used with any other network' : 'container cannot be connected to multiple networks with one of the networks in private (none) mode')
  }
  const ordered = [...asked].sort(([a], [b]) => Number(b === first) - Number(a === first))
  return Object.fromEntries(
    ordered.map(([name, settings]) => {
      const network = networks.records.find((one) => one.name === name)
      const prefix = `invalid config for network ${name}: `
      return [name, checkedRequest(network === undefined || (unnamed && name === 'bridge') ? undefined : configuredSubnets(network), name, settings, name === first ? mac : '', prefix)]
    }),
  )
}

/**
 * One endpoint as a client asks for it.
 * @param subnets that its network was given; undefined when nothing is known of it
 * @param prefix of what an error says
 * @throws EngineError invalid-argument with all mistakes (moby: validateEndpointSettings)
 */
export function checkedRequest(subnets: readonly Cidr[] | undefined, name: string, settings: EndpointSettings, mac = '', prefix = ''): EndpointRequest {
  const mistakes = [...predefinedMistakes(name, settings), ...addressMistakes(subnets, settings), ...optionMistakes(settings)]
  if (mistakes.length > 0) {
    const text = mistakes.length === 1 ? (mistakes[0] ?? '') : mistakes.map((mistake) => `* ${mistake}`).join('\n')
    throw new EngineError('invalid-argument', `${prefix}invalid endpoint settings:\n${text}`)
  }
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: settings.Aliases ?? null,
    MacAddress: checkedMac(settings.MacAddress || mac, prefix),
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: settings.GwPriority ?? 0,
  }
}

function predefinedMistakes(name: string, { IPAMConfig, Aliases }: EndpointSettings): string[] {
  if (!isPredefined(name) && !name.startsWith('container:')) return []
  return [
    ...(IPAMConfig?.IPv4Address || IPAMConfig?.IPv6Address ? ['user specified IP address is supported on user defined networks only'] : []),
    ...((Aliases?.length ?? 0) > 0 ? ['network-scoped alias is supported only for containers in user defined networks'] : []),
  ]
}

const linkLocal = ['169.254.0.0/16', 'fe80::/10'].map(parseCidr)

function addressMistakes(subnets: readonly Cidr[] | undefined, { IPAMConfig }: EndpointSettings): string[] {
  const { IPv4Address, IPv6Address, LinkLocalIPs } = IPAMConfig ?? {}
  const mistakes = (address: string | null | undefined, family: 4 | 6): string[] => {
    if (!address) return []
    const invalid = isIP(address) !== family || isUnspecified(address)
    return [...(invalid ? [`invalid IPv${family} address: ${address}`] : []), ...rangeMistakes(subnets, address, family)]
  }
  return [
    ...mistakes(IPv4Address, 4),
    ...mistakes(IPv6Address, 6),
    ...(LinkLocalIPs ?? []).filter((address) => isIP(address) === 0 || !linkLocal.some((subnet) => contains(subnet, address))).map((address) => `invalid link-local IP address: ${address}`),
  ]
}

/** The subnets that a network was given by a user, not those that were found for it. */
export function configuredSubnets({ settings }: NetworkRecord): Cidr[] {
  return settings.pools.filter(({ chosen }) => !chosen).map(({ subnet }) => parseCidr(subnet))
}

function rangeMistakes(all: readonly Cidr[] | undefined, address: string, family: 4 | 6): string[] {
  if (all === undefined) return []
  const subnets = all.filter((subnet) => isIPv6(subnet) === (family === 6))
  if (subnets.length === 0) return ['user specified IP address is supported only when connecting to networks with user configured subnets']
  return isIP(address) !== 0 && subnets.some((subnet) => contains(subnet, address)) ? [] : [`no configured subnet or ip-range contain the IP address ${address}`]
}

function optionMistakes({ DriverOpts }: EndpointSettings): string[] {
  const sysctls = DriverOpts?.['com.docker.network.endpoint.sysctls']
  const link = DriverOpts?.['com.docker.network.endpoint.ifname']
  const mistakes: string[] = []
  if (sysctls !== undefined) {
    try {
      parseEndpointSysctls(sysctls)
    } catch (error) {
      mistakes.push(error instanceof Error ? error.message : String(error))
    }
  }
  if (link !== undefined && !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(link)) mistakes.push(`invalid network interface name: ${JSON.stringify(link)}`)
  return mistakes
}

function checkedMac(mac: string, prefix: string): string {
  if (mac !== '' && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) throw new EngineError('invalid-argument', `${prefix}invalid MAC address ${mac}`)
  return mac.toLowerCase()
}

function nameOf(networks: NetworkRegistry, ref: string): string {
  try {
    return networks.find(ref).name
  } catch {
    // It may come to be until the container starts.
    return ref
  }
}
