import { ApiError } from './api-error.ts'

/** Where a daemon listens. */
export type Address = { readonly kind: 'unix'; readonly path: string } | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/**
 * Reads a host as `--host` and DOCKER_HOST give it: `unix:///run/engine.sock`, `tcp://10.0.0.1:2375`, or an absolute path.
 * @throws ApiError status 0 for any other form (npipe, ssh, fd)
 */
export function parseHost(host: string): Address {
  if (host.startsWith('unix://')) {
    const path = host.slice('unix://'.length)
    if (path.startsWith('/')) return { kind: 'unix', path }
  }
  if (host.startsWith('/')) return { kind: 'unix', path: host }
  if (host.startsWith('tcp://') || host.startsWith('http://')) {
    const url = URL.parse(host.replace(/^tcp:/, 'http:'))
    if (url !== null && url.hostname !== '') return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 2375 : Number(url.port) }
  }
  throw new ApiError(0, `unable to parse docker host \`${host}\``, { hint: 'use unix:///path/to.sock or tcp://host:port' })
}
