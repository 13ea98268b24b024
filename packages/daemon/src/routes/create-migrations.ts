import { RequestError, type EndpointSettings } from '@engine/api'
import type { Wanted } from './create-for-version.ts'

type Before = (version: string) => boolean

const sysctlsOption = 'com.docker.network.endpoint.sysctls'

/**
 * Since 1.44 a MAC address is its endpoint's: one that the container is given goes to the endpoint of its network mode. Clients before
 * that did not know of endpoints' (moby: handleMACAddressBC).
 * @throws RequestError 400 when two addresses are asked for
 */
export function withEndpointMac(wanted: Wanted, before: Before, warnings: string[]): Wanted {
  const mac = wanted.config.MacAddress
  const mode = wanted.hostConfig.NetworkMode ?? ''
  const old = before('1.44')
  if (!mac) return old ? { ...wanted, endpoints: Object.fromEntries(Object.entries(wanted.endpoints).map(([name, endpoint]) => [name, { ...endpoint, MacAddress: undefined }])) } : wanted
  // These the engine refuses.
  if (mode === 'host' || mode.startsWith('container:')) return wanted
  const without = { ...wanted, config: { ...wanted.config, MacAddress: undefined } }
  if (!old) warnings.push('The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.')
  if (mode === 'none') {
    if (old) throw new RequestError('conflicting options: mac-address and the network mode')
    return without
  }
  const [name, endpoint] = mainEndpoint(wanted)
  if (!old && endpoint.MacAddress && endpoint.MacAddress !== mac) {
    throw new RequestError('the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty')
  }
  return { ...without, endpoints: { ...wanted.endpoints, [name]: { ...endpoint, MacAddress: mac } } }
}

/**
 * Settings of the interface eth0 among the container's sysctls, which are the endpoint's own since 1.46: moved there for clients
 * before 1.48 (moby: handleSysctlBC).
 * @throws RequestError 400 where they cannot be moved
 */
export function withEndpointSysctls(wanted: Wanted, before: Before, warnings: string[]): Wanted {
  const all = Object.entries(wanted.hostConfig.Sysctls ?? {})
  const own = all.flatMap(([name, value]) => {
    const [net, family, kind, link, setting, ...more] = name.split('.')
    return net === 'net' && link !== undefined && setting !== undefined && !['all', 'default'].includes(link) ? [{ name, link, moved: `net.${family}.${kind}.IFNAME.${[setting, ...more].join('.')}=${value}` }] : []
  })
  const [first] = own
  if (first === undefined || !hasEndpoint(wanted)) return wanted
  if (!before('1.48')) throw new RequestError(`interface specific sysctl setting ${JSON.stringify(first.name)} must be supplied using driver option '${sysctlsOption}'`)
  const foreign = own.find(({ link }) => link !== 'eth0')
  if (foreign !== undefined) throw new RequestError(`unable to determine network endpoint for sysctl ${foreign.name}, use driver option '${sysctlsOption}' to set per-interface sysctls`)
  const [name, endpoint] = mainEndpoint(wanted)
  const moved = own.map((one) => one.moved)
  for (const one of own) warnings.push(`Migrated sysctl ${JSON.stringify(one.name)} to DriverOpts{${JSON.stringify(sysctlsOption)}:${JSON.stringify(one.moved)}}.`)
  const given = endpoint.DriverOpts?.[sysctlsOption]
  const driverOptions = { ...endpoint.DriverOpts, [sysctlsOption]: [...(given ? [given] : []), ...moved].join(',') }
  const left = Object.fromEntries(all.filter(([one]) => !own.some((taken) => taken.name === one)))
  return { ...wanted, hostConfig: { ...wanted.hostConfig, Sysctls: left }, endpoints: { ...wanted.endpoints, [name]: { ...endpoint, DriverOpts: driverOptions } } }
}

function hasEndpoint({ hostConfig: { NetworkMode: mode } }: Wanted): boolean {
  return !['host', 'none'].includes(mode ?? '') && mode?.startsWith('container:') !== true
}

/** The endpoint of the container's network mode, by the name that the client has for it. */
function mainEndpoint({ hostConfig, endpoints }: Wanted): readonly [name: string, endpoint: EndpointSettings] {
  const mode = hostConfig.NetworkMode || 'default'
  const names = mode === 'default' || mode === 'bridge' ? ['bridge', 'default'] : [mode]
  const name = names.find((one) => endpoints[one] !== undefined) ?? names[0] ?? mode
  return [name, endpoints[name] ?? {}]
}
