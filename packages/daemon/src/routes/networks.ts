import { isAtLeast, RequestError } from '@engine/api'
import type { Handlers } from '../call.ts'

/** Serves /networks. */
export const networks: Handlers<'NetworkList' | 'NetworkInspect' | 'NetworkCreate' | 'NetworkDelete' | 'NetworkConnect' | 'NetworkDisconnect' | 'NetworkPrune' | 'NetTrace'> = {
  // Before 1.28 each had its containers (CHANGELOG, v1.28).
  NetworkList: ({ engine, query, version }) => engine.networks.list(query.filters, { containers: !isAtLeast(version, '1.28') }),
  NetworkInspect: ({ engine, name, query }) => engine.networks.inspect(name, { scope: query.scope }),

  // Before 1.48 IPv4 was not to be turned off.
  NetworkCreate: ({ engine, body, version }) => engine.networks.create(isAtLeast(version, '1.48') ? body : { ...body, EnableIPv4: true }),

  async NetworkDelete({ engine, name }) {
    await engine.networks.remove(name)
  },

  async NetworkConnect({ engine, name, body, version }) {
    const endpoint = body.EndpointConfig ?? {}
    await engine.networks.connect(name, named(body.Container), isAtLeast(version, '1.48') ? endpoint : { ...endpoint, GwPriority: undefined })
  },

  async NetworkDisconnect({ engine, name, body }) {
    await engine.networks.disconnect(name, named(body.Container), body.Force ?? false)
  },

  NetTrace: ({ engine, query }) => engine.networks.trace(query.from, query.to, query.protocol, query.family),

  NetworkPrune: ({ engine, query }) => engine.networks.prune(query.filters),
}

function named(container: string | null | undefined): string {
  if (!container) throw new RequestError('invalid name or ID supplied: ""')
  return container
}
