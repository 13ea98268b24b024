import { readHostResolvConf, resolverAddress, writeInternalResolvConf, type ResolverSettings } from '@engine/network'
import type { EngineContext } from '../context.ts'
import type { Container, Sandbox } from '../containers/container.ts'
import { readShared } from '../containers/shared-file.ts'
import { rankEndpoints } from './default-routes.ts'
import { dnsNames } from './dns-names.ts'
import { isPredefined, type NetworkRecord } from './networks-table.ts'

/** Whether a sandbox is on a network of a user's own, where containers find each other by name. */
export function hasUserNetwork(engine: EngineContext, sandbox: Sandbox): boolean {
  return userEndpoints(engine, sandbox).length > 0
}

/** `--dns` and its kin, or what the configuration says. */
export function nameserverSettings(engine: EngineContext, { record: { hostConfig: host } }: Container): { readonly dns: readonly string[]; readonly search: readonly string[]; readonly options: readonly string[] } {
  const { options } = engine
  return {
    dns: host.Dns?.length ? host.Dns : options.dns,
    search: host.DnsSearch?.length ? host.DnsSearch : options.dnsSearch,
    options: host.DnsOptions?.length ? host.DnsOptions : options.dnsOptions,
  }
}

/** The resolv.conf of a container with a nameserver of its own, and whom that one asks. */
export function internalResolvConf(engine: EngineContext, container: Container): ReturnType<typeof writeInternalResolvConf> {
  // The host's own nameservers are asked from the host, a stub on its loopback too.
  return writeInternalResolvConf({ source: readHostResolvConf(true, engine.options.resolvConf), ...nameserverSettings(engine, container) })
}

/**
 * Tells of a container's names on its networks, and opens its nameserver or lets it know of a change. Nothing happens for a
 * container that has only networks without names.
 */
export async function openNames(engine: EngineContext, container: Container, sandbox: Sandbox): Promise<void> {
  for (const { endpoint, network } of userEndpoints(engine, sandbox)) {
    const { lease } = endpoint
    engine.names.setEndpoint(network, endpoint.id, { names: dnsNames(container, container.record.endpoints[network.name]), address: lease?.address, address6: lease?.address6 })
  }
  if (!hasUserNetwork(engine, sandbox) && !readsOurs(engine, container)) return
  await engine.names.open(sandbox.key, resolverSettings(engine, container, sandbox))
}

/** A sandbox is gone: so are its names and its nameserver. */
export function closeNames(engine: EngineContext, sandbox: Sandbox): void {
  for (const { id } of sandbox.endpoints) engine.names.removeEndpoint(id)
  if (sandbox.key !== '') engine.names.close(sandbox.key)
}

function resolverSettings(engine: EngineContext, container: Container, sandbox: Sandbox): ResolverSettings {
  const { upstreams, dotless } = internalResolvConf(engine, container)
  return {
    networks: userEndpoints(engine, { ...sandbox, endpoints: rankEndpoints(engine.networks, container, sandbox.endpoints) }).map(({ network }) => ({ networkId: network.id, links: links(container, network) })),
    upstreams,
    outside: sandbox.endpoints.some(({ gateway, gateway6 }) => gateway !== '' || gateway6 !== ''),
    dotless,
  }
}

/** Links on a network of a user's own are names for this container alone: `target:alias`. */
function links(container: Container, network: NetworkRecord): Record<string, string> {
  const { hostConfig, endpoints } = container.record
  const ofHost = hostConfig.NetworkMode === network.name || hostConfig.NetworkMode === network.id ? (hostConfig.Links ?? []) : []
  const given = [...ofHost, ...(endpoints[network.name]?.Links ?? [])]
  return Object.fromEntries(given.map((link) => {
    const [target = '', alias = target] = link.split(':')
    return [alias, target.replace(/^\//, '')]
  }))
}

function userEndpoints(engine: EngineContext, sandbox: Sandbox): { readonly endpoint: Sandbox['endpoints'][number]; readonly network: NetworkRecord }[] {
  return sandbox.endpoints.flatMap((endpoint) => {
    const network = engine.networks.get(endpoint.networkId)
    return network === undefined || isPredefined(network.name) ? [] : [{ endpoint, network }]
  })
}

/** A container that was on a network with names goes on asking our nameserver. */
function readsOurs(engine: EngineContext, container: Container): boolean {
  const content = readShared(engine.paths.container(container.id).resolvConf)
  return content !== undefined && namesOurs(content)
}

/** Whether a resolv.conf leads to our nameserver. */
export function namesOurs(content: string): boolean {
  return content.includes(`nameserver ${resolverAddress}\n`)
}
