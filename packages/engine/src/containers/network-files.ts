import { createHash } from 'node:crypto'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { leasedAddresses, parseExtraHosts, readHostResolvConf, updateHostsFile, writeHostnameFile, writeHostsFile, writeResolvConf } from '@engine/network'
import type { EngineContext } from '../context.ts'
import { hasUserNetwork, internalResolvConf, namesOurs, nameserverSettings } from '../networks/names.ts'
import type { ContainerPaths } from '../paths.ts'
import { rootIds } from '../userns/container-ids.ts'
import type { Container, Sandbox } from './container.ts'
import { linkedHosts } from './links.ts'
import { readShared, rewriteShared } from './shared-file.ts'

/** In the digest's place while resolv.conf is written: a crash then leaves it to be written again, not a client's change. */
const beingWritten = 'being written'

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
  if (engine.remap === undefined) return
  const { uid, gid } = rootIds(engine, host)
  for (const path of [files.hosts, files.hostname, files.resolvConf]) chownSync(path, uid, gid)
}

/** Follows a change of the networks of a running container in its files, but for what a client has changed in them meanwhile. */
export function updateNetworkFiles(engine: EngineContext, container: Container): void {
  const { hosts } = engine.paths.container(container.id)
  const { Hostname: hostname, Domainname: domainname } = container.record.config
  const before = readShared(hosts)
  const after = before === undefined ? undefined : updateHostsFile(before, { hostname, domainname, addresses: ownAddresses(container.sandbox) })
  if (after !== undefined && after !== before) rewriteShared(hosts, after)
  updateResolvConf(engine, container)
}

/**
 * Makes a running container's resolv.conf what it would be if it started now, on its networks and with the host's file as they are;
 * one that a client has changed stays (moby: resolvconf.UserModified).
 */
export function updateResolvConf(engine: EngineContext, container: Container): void {
  const files = engine.paths.container(container.id)
  const present = readShared(files.resolvConf)
  const noted = readShared(files.resolvConfHash)
  if (present === undefined || (noted !== beingWritten && noted !== digest(present))) return
  // Once it leads to the nameserver of engine's own it does so until the end: programs have read it.
  const content = resolvConf(engine, container, container.sandbox, namesOurs(present))
  if (content === present && noted !== beingWritten) return
  writeFileSync(files.resolvConfHash, beingWritten, { mode: 0o644 })
  rewriteShared(files.resolvConf, content)
  writeFileSync(files.resolvConfHash, digest(content), { mode: 0o644 })
}

/** What `host-gateway` stands for: what the configuration says, or the default bridge's addresses. */
function hostGateways({ options, networks }: EngineContext): string[] {
  const { gateway, ipv6 } = networks.bridge
  return options.hostGatewayIPs?.length ? [...options.hostGatewayIPs] : [gateway, ...(ipv6 === undefined ? [] : [ipv6.gateway])]
}

/** @param ours it is to lead to our nameserver, whatever its networks */
function resolvConf(engine: EngineContext, container: Container, sandbox: Sandbox, ours = false): string {
  const hostNetwork = container.record.hostConfig.NetworkMode === 'host'
  if (hasUserNetwork(engine, sandbox) || (ours && !hostNetwork)) return internalResolvConf(engine, container).content
  const { dns, search, options } = nameserverSettings(engine, container)
  const asItIs = hostNetwork && dns.length + search.length + options.length === 0
  const ipv6 = sandbox.endpoints.some(({ lease }) => lease?.address6 !== undefined)
  return writeResolvConf({ source: readHostResolvConf(asItIs, engine.options.resolvConf), dns, search, options, hostNetwork, ipv6 })
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
