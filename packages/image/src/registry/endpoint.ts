import { EngineError } from '@engine/linux'
import { hostCertificates } from './certificates.ts'
import { isTrusted, type RegistryOptions } from './options.ts'

/** One way to speak to a registry. */
export interface Endpoint {
  /** `https://registry:5000`, for a mirror with a path perhaps; no slash at its end. */
  readonly base: string
  /** Not the registry itself: credentials meant for that are not sent here. */
  readonly mirror: boolean
}

/** Where the images of a domain really are. */
const hosts: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' }

/**
 * The ways to reach a domain's registry, in the order in which they are tried: mirrors (only to pull), HTTPS, and plain HTTP where
 * that is configured or the registry is on this machine.
 */
export async function endpointsOf(domain: string, options: RegistryOptions, purpose: 'pull' | 'push'): Promise<Endpoint[]> {
  const mirrors = purpose === 'push' ? [] : (options.mirrors.get(domain) ?? [])
  const host = hosts[domain] ?? domain
  const { own } = await hostCertificates(host, options.certificates)
  return [
    ...mirrors.map((mirror) => ({ base: parseMirror(mirror).href.replace(/\/+$/, ''), mirror: true })),
    { base: `https://${host}`, mirror: false },
    ...((await isTrusted(host, own, options)) ? [{ base: `http://${host}`, mirror: false }] : []),
  ]
}

/** @throws EngineError invalid-argument, in Docker's words */
export function parseMirror(mirror: string): URL {
  let url: URL
  try {
    url = new URL(mirror)
  } catch (cause) {
    throw new EngineError('invalid-argument', `invalid mirror: ${JSON.stringify(mirror)} is not a valid URI`, { cause })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new EngineError('invalid-argument', `invalid mirror: unsupported scheme ${JSON.stringify(url.protocol.slice(0, -1))} in ${JSON.stringify(mirror)}`)
  if (url.search !== '' || url.hash !== '') throw new EngineError('invalid-argument', `invalid mirror: query or fragment at end of the URI ${JSON.stringify(mirror)}`)
  if (url.username !== '' || url.password !== '') throw new EngineError('invalid-argument', `invalid mirror: username/password not allowed in URI ${JSON.stringify(`${url.protocol}//xxxxx@${url.host}`)}`)
  return url
}
