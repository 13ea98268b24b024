import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { EngineError } from '@engine/linux'

/** How this host deals with registries; from engine.json. */
export interface RegistryOptions {
  /** URLs that are asked before a registry itself, by the domain of its images (`docker.io`). Only for pulls. */
  readonly mirrors: ReadonlyMap<string, readonly string[]>
  /** Hosts (`host:port`) and address ranges that may be spoken to without a valid certificate, or in plain HTTP. */
  readonly insecure: readonly string[]
  /** Domains, or repositories with all below them (`docker.io/x`), that nothing is taken from or given to. */
  readonly blocked: readonly string[]
  /** Directories with `<host:port>/*.crt` and client certificates, as Docker's /etc/docker/certs.d. */
  readonly certificates: readonly string[]
  /** Blobs that are fetched, and sent, at the same time. */
  readonly downloads: number
  readonly uploads: number
  /** Attempts at a blob that bring nothing before it is given up. */
  readonly attempts: number
}

export const defaultRegistryOptions: RegistryOptions = {
  mirrors: new Map(),
  insecure: [],
  blocked: [],
  certificates: ['/etc/engine/certs.d', '/etc/docker/certs.d'],
  downloads: 3,
  uploads: 5,
  attempts: 5,
}

/** @throws EngineError forbidden for a registry or repository that the configuration blocks */
export function refuseBlocked({ domain, path }: { readonly domain: string; readonly path: string }, { blocked }: RegistryOptions): void {
  const rule = blocked.find((one) => domain === one || `${domain}/${path}` === one || `${domain}/${path}`.startsWith(`${one}/`))
  if (rule !== undefined) throw new EngineError('forbidden', `registry ${rule} is blocked in the configuration of this engine`, { hint: 'see the keys registries and blocked in docs/configuration.md' })
}

/**
 * Whether a host needs no valid certificate and may speak plain HTTP: it is configured so, or it is this machine itself, as with Docker.
 * @param own whether there are authorities for this host: who put them there wants them checked, on this machine too
 */
export async function isTrusted(host: string, own: boolean, options: RegistryOptions): Promise<boolean> {
  return (await isConfigured(host, options)) || (!own && (await resolvesTo(splitHost(host).name, loopback)))
}

async function isConfigured(host: string, { insecure }: RegistryOptions): Promise<boolean> {
  const { name } = splitHost(host)
  if (insecure.includes(host) || insecure.includes(name)) return true
  const ranges = insecure.filter((one) => one.includes('/'))
  return ranges.length > 0 && (await resolvesTo(name, blockList(ranges)))
}

/** `registry:5000` as name and port; an IPv6 address without its brackets. */
export function splitHost(host: string): { readonly name: string; readonly port: string } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(host)
  return { name: match?.[1] ?? match?.[2] ?? host, port: match?.[3] ?? '' }
}

const loopback = blockList(['127.0.0.0/8', '::1/128'])

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/')
    const family = isIP(address)
    if (family !== 0) list.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

/** Whether one of a name's addresses lies in a range; a name without an address lies in none. */
async function resolvesTo(name: string, ranges: BlockList): Promise<boolean> {
  try {
    const found = isIP(name) === 0 ? await lookup(name, { all: true }) : [{ address: name, family: isIP(name) }]
    return found.some(({ address, family }) => ranges.check(address, family === 6 ? 'ipv6' : 'ipv4'))
  } catch {
    return false
  }
}
