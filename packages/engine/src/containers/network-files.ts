import { readFileSync, writeFileSync } from 'node:fs'
import { leasedAddresses, parseExtraHosts, readHostResolvConf, updateHostsFile, writeHostnameFile, writeHostsFile, writeResolvConf } from '@engine/network'
import type { EngineContext } from '../context.ts'
import type { ContainerPaths } from '../paths.ts'
import type { Container, Sandbox } from './container.ts'

/**
 * Writes what is bound over a container's /etc/hosts, /etc/hostname and /etc/resolv.conf. They are made anew at each start; a client
 * may change them while it runs (cri-dockerd does).
 * @throws EngineError invalid-argument in Docker's words for a nameserver or host that is no address
 */
export function writeNetworkFiles(engine: EngineContext, container: Container, files: ContainerPaths, hostname: string, sandbox: Sandbox): void {
  const { hostConfig: host, config } = container.record
  const hostNetwork = host.NetworkMode === 'host'
  const extraHosts = parseExtraHosts(host.ExtraHosts ?? [], [engine.networks.bridge.gateway])
  const hosts = hostNetwork
    ? readIfThere('/etc/hosts') + extraHosts.map(({ address, names }) => `${address}\t${names}\n`).join('')
    : writeHostsFile({
        hostname,
        domainname: config.Domainname,
        addresses: ownAddresses(sandbox),
        extraHosts,
        ipv6: true,
      })
  const { options } = engine
  const dns = host.Dns?.length ? host.Dns : options.dns
  const search = host.DnsSearch?.length ? host.DnsSearch : options.dnsSearch
  const dnsOptions = host.DnsOptions?.length ? host.DnsOptions : options.dnsOptions
  const asItIs = hostNetwork && dns.length + search.length + dnsOptions.length === 0
  const resolvConf = writeResolvConf({ source: readHostResolvConf(asItIs), dns, search, options: dnsOptions, hostNetwork, ipv6: false })
  writeFileSync(files.hosts, hosts, { mode: 0o644 })
  writeFileSync(files.hostname, writeHostnameFile(hostname), { mode: 0o644 })
  writeFileSync(files.resolvConf, resolvConf, { mode: 0o644 })
}

/** Follows a change of the networks of a running container in its files, which a client may have changed meanwhile. */
export function updateNetworkFiles(engine: EngineContext, container: Container): void {
  const { hosts } = engine.paths.container(container.id)
  const { Hostname: hostname, Domainname: domainname } = container.record.config
  const before = readIfThere(hosts)
  const after = updateHostsFile(before, { hostname, domainname, addresses: ownAddresses(container.sandbox) })
  // Written in place: the container has this very file.
  if (after !== before) writeFileSync(hosts, after)
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
