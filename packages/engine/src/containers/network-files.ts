import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { leasedAddresses, parseExtraHosts, readHostResolvConf, updateHostsFile, writeHostnameFile, writeHostsFile, writeResolvConf } from '@engine/network'
import type { EngineContext } from '../context.ts'
import { hasUserNetwork, internalResolvConf, nameserverSettings } from '../networks/names.ts'
import type { ContainerPaths } from '../paths.ts'
import type { Container, Sandbox } from './container.ts'
import { linkedHosts } from './links.ts'

/**
 * Writes what is bound over a container's /etc/hosts, /etc/hostname and /etc/resolv.conf. They are made anew at each start; a client
 * may change them while it runs (cri-dockerd does).
 * @throws EngineError invalid-argument in Docker's words for a nameserver or host that is no address
 */
export function writeNetworkFiles(engine: EngineContext, container: Container, files: ContainerPaths, hostname: string, sandbox: Sandbox): void {
  const { hostConfig: host, config } = container.record
  const hostNetwork = host.NetworkMode === 'host'
  const extraHosts = parseExtraHosts(host.ExtraHosts ?? [], hostGateways(engine))
  const hosts = hostNetwork
    ? readIfThere('/etc/hosts') + extraHosts.map(({ address, names }) => `${address}\t${names}\n`).join('')
    : writeHostsFile({
        hostname,
        domainname: config.Domainname,
        addresses: ownAddresses(sandbox),
        extraHosts: [...extraHosts, ...linkedHosts(engine, container)],
        ipv6: true,
      })
  writeFileSync(files.hosts, hosts, { mode: 0o644 })
  writeFileSync(files.hostname, writeHostnameFile(hostname), { mode: 0o644 })
  writeResolvFile(files, resolvConf(engine, container, sandbox))
}

/** Follows a change of the networks of a running container in its files, but for what a client has changed in them meanwhile. */
export function updateNetworkFiles(engine: EngineContext, container: Container): void {
  const files = engine.paths.container(container.id)
  const { Hostname: hostname, Domainname: domainname } = container.record.config
  const before = readIfThere(files.hosts)
  const after = updateHostsFile(before, { hostname, domainname, addresses: ownAddresses(container.sandbox) })
  // Written in place: the container has this very file.
  if (after !== before) writeFileSync(files.hosts, after)
  const present = readIfThere(files.resolvConf)
  // Once it leads to the nameserver of engine's own it does so until the end: programs have read it.
  if (!hasUserNetwork(engine, container.sandbox) || readIfThere(files.resolvConfHash) !== digest(present)) return
  writeResolvFile(files, resolvConf(engine, container, container.sandbox))
}

/** What `host-gateway` stands for: what the configuration says, or the default bridge's addresses. */
function hostGateways({ options, networks }: EngineContext): string[] {
  const { gateway, ipv6 } = networks.bridge
  return options.hostGatewayIPs?.length ? [...options.hostGatewayIPs] : [gateway, ...(ipv6 === undefined ? [] : [ipv6.gateway])]
}

function resolvConf(engine: EngineContext, container: Container, sandbox: Sandbox): string {
  if (hasUserNetwork(engine, sandbox)) return internalResolvConf(engine, container).content
  const hostNetwork = container.record.hostConfig.NetworkMode === 'host'
  const { dns, search, options } = nameserverSettings(engine, container)
  const asItIs = hostNetwork && dns.length + search.length + options.length === 0
  const ipv6 = sandbox.endpoints.some(({ lease }) => lease?.address6 !== undefined)
  return writeResolvConf({ source: readHostResolvConf(asItIs), dns, search, options, hostNetwork, ipv6 })
}

/** The digest beside it tells whether somebody has changed it since. */
function writeResolvFile(files: ContainerPaths, content: string): void {
  writeFileSync(files.resolvConf, content, { mode: 0o644 })
  writeFileSync(files.resolvConfHash, digest(content), { mode: 0o644 })
}

function digest(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}

function ownAddresses(sandbox: Sandbox): string[] {
  return sandbox.endpoints.flatMap(({ lease }) => (lease === undefined ? [] : leasedAddresses(lease)))
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
