import { EngineError } from '@engine/linux'

/**
 * Reads a size as Docker does (go-units RAMInBytes): `64M`, `1.5g`, `67108864`, `64 MiB`; units are powers of 1024.
 * @throws EngineError invalid-argument
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text.trim())
  if (match === null) throw new EngineError('invalid-argument', `invalid size: '${text}'`)
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf((match[2] ?? '').toLowerCase())
  return Math.floor(Number(match[1]) * 1024 ** power)
}

export interface Ulimit {
  readonly Name: string
  readonly Soft: number
  readonly Hard: number
}

const limits = new Set([
  'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
])

/**
 * Reads `nofile=1024:2048` (soft:hard) or `nofile=1024`; -1 is unlimited (go-units ParseUlimit).
 * @throws EngineError invalid-argument
 */
export function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text)
  if (match === null) throw new EngineError('invalid-argument', `invalid ulimit argument: ${text}`)
  const Name = match[1] ?? ''
  const Soft = Number(match[2])
  return checkUlimit({ Name, Soft, Hard: match[3] === undefined ? Soft : Number(match[3]) })
}

/** @throws EngineError invalid-argument */
export function checkUlimit(ulimit: Ulimit): Ulimit {
  if (!limits.has(ulimit.Name)) throw new EngineError('invalid-argument', `invalid ulimit type: ${ulimit.Name}`)
  if (ulimit.Hard !== -1 && (ulimit.Soft === -1 || ulimit.Soft > ulimit.Hard)) {
    throw new EngineError('invalid-argument', `ulimit soft limit must be less than or equal to hard limit: ${ulimit.Name} ${ulimit.Soft} > ${ulimit.Hard}`)
  }
  return ulimit
}

/**
 * Reads `base=172.30.0.0/16,size=24`.
 * @throws EngineError invalid-argument
 */
export function parseAddressPool(text: string): { readonly base: string; readonly size: number } {
  const fields = new Map(text.split(',').map((field) => field.split('=', 2) as [string, string | undefined]))
  const base = fields.get('base')
  const size = Number(fields.get('size'))
  if (base === undefined || fields.size !== 2 || !Number.isInteger(size)) {
    throw new EngineError('invalid-argument', `invalid default address pool: ${text}`, { hint: 'write it as base=172.30.0.0/16,size=24' })
  }
  return { base, size }
}

/** @throws EngineError invalid-argument when the pool cannot be cut into subnets of that size */
export function checkAddressPool({ base, size }: { readonly base: string; readonly size: number }): void {
  const prefix = Number(base.split('/')[1])
  if (size < prefix || size > (base.includes(':') ? 128 : 32)) throw new EngineError('invalid-argument', `invalid address pool ${base}: size ${size}`)
}

/** @throws EngineError invalid-argument when two addresses are of one family */
export function checkFamilies(addresses: readonly string[]): void {
  for (const ipv6 of [false, true]) {
    if (addresses.filter((address) => address.includes(':') === ipv6).length > 1) throw new EngineError('invalid-argument', `only one ${ipv6 ? 'IPv6' : 'IPv4'} address is allowed`)
  }
}

/**
 * Reads `bridge=com.docker.network.driver.mtu=1200`: an option of networks of a driver.
 * @throws EngineError invalid-argument
 */
export function parseNetworkOption(text: string): readonly [driver: string, key: string, value: string] {
  const match = /^([^=]+)=([^=]+)=(.*)$/.exec(text)
  if (match === null) throw new EngineError('invalid-argument', `invalid default network option: ${text}`, { hint: 'write it as bridge=com.docker.network.driver.mtu=1200' })
  return [match[1] ?? '', match[2] ?? '', match[3] ?? '']
}

/** Where a daemon listens. */
export type Host =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** From systemd; by number, or all there are. */
  | { readonly kind: 'fd'; readonly fd: number | undefined }

/**
 * Reads `unix:///run/engine.sock`, `tcp://10.0.0.1:2375` or `fd://` (`fd://3`).
 * @throws EngineError invalid-argument; also for tcp without a host: an address must be chosen, none is implied
 */
export function parseListenHost(text: string): Host {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? []
  if (scheme === 'unix' && rest.startsWith('/')) return { kind: 'unix', path: rest }
  if (scheme === 'fd' && /^\d*$/.test(rest)) return { kind: 'fd', fd: rest === '' ? undefined : Number(rest) }
  if (scheme === 'tcp') {
    const match = /^(\[[0-9a-f:.]+\]|[^:/[\]]+):(\d{1,5})$/i.exec(rest)
    const port = Number(match?.[2])
    if (match !== null && port > 0 && port < 65536) return { kind: 'tcp', host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port }
    throw new EngineError('invalid-argument', `invalid host ${text}: a tcp host needs an address and a port`, { hint: 'for example tcp://127.0.0.1:2375' })
  }
  throw new EngineError('invalid-argument', `invalid host ${text}`, { hint: 'use unix:///path, tcp://address:port or fd://' })
}

/** Whether an address is reached from other machines whatever their route: such a host must have TLS. */
export function isAnyAddress(host: string): boolean {
  return ['0.0.0.0', '::', '::0', '0', '[::]'].includes(host) || /^0+(\.0+)*$/.test(host) || /^[0:]+$/.test(host)
}
