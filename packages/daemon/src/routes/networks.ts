import type { Handlers } from '../call.ts'

/** Serves /networks. */
export const networks: Handlers<'NetworkList' | 'NetworkInspect'> = {
  NetworkList: ({ engine, query }) => engine.networks.list(query.filters),
  NetworkInspect: ({ engine, name }) => engine.networks.inspect(name),
}
