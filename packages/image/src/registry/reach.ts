import { BlockList, isIP } from 'node:net'
import { EngineError } from '@engine/linux'
import { splitHost } from './options.ts'
import { shown } from './transport.ts'

/** Addresses that only this machine, or the cloud it runs in, has: nobody outside has a reason to send us there. */
const inner = new BlockList()
inner.addSubnet('127.0.0.0', 8, 'ipv4')
inner.addSubnet('0.0.0.0', 8, 'ipv4')
inner.addSubnet('169.254.0.0', 16, 'ipv4')
inner.addAddress('::1', 'ipv6')
inner.addAddress('::', 'ipv6')
inner.addSubnet('fe80::', 10, 'ipv6')
// Metadata services of clouds that are not at 169.254.169.254: EC2 by IPv6, Oracle, Alibaba.
inner.addAddress('fd00:ec2::254', 'ipv6')
inner.addAddress('192.0.0.192', 'ipv4')
inner.addAddress('100.100.100.200', 'ipv4')

/**
 * Whether a server may send us to another place: by a redirect, or by naming a token service. Names are not resolved: one that leads
 * to an inner address is not seen here (docs/decisions).
 * @returns why not; undefined when it may
 */
export function mayFollow(from: URL, to: URL): string | undefined {
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return 'neither http nor https'
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'plain HTTP, while the registry itself has TLS'
  if (isInner(to.host) && !isInner(from.host)) return 'an address of this machine or its cloud, named by a registry outside'
  return undefined
}

/**
 * The address that a server names: by a redirect, as the place of an upload, as the next page of a list.
 * @param name as it was written, perhaps relative
 * @throws EngineError forbidden when it may not send us there, internal when it is none
 */
export function addressFrom(from: URL, name: string): URL {
  let next: URL
  try {
    next = new URL(name, from)
  } catch (cause) {
    throw new EngineError('internal', `${shown(from)} names an address that is none: ${JSON.stringify(name.slice(0, 200))}`, { cause })
  }
  const why = mayFollow(from, next)
  if (why !== undefined) throw new EngineError('forbidden', `${shown(from)} redirects to ${next.protocol}//${next.host}: ${why}`)
  return next
}

function isInner(host: string): boolean {
  const name = splitHost(host).name.replace(/\.$/, '')
  const family = isIP(name)
  return family === 0 ? name === 'localhost' || name.endsWith('.localhost') : inner.check(name, family === 6 ? 'ipv6' : 'ipv4')
}
