import type { Method } from './routes.ts'

/**
 * Why an operation of the contract is not served: `absent` is not there yet (501), `swarm` and its kin are answered as Docker answers
 * on a node that is in no swarm (503), `plugin` as Docker answers for a managed plugin that does not exist (404).
 */
export type Reason = 'absent' | 'swarm' | 'swarm-leave' | 'swarm-join' | 'cluster-volume' | 'plugin'

/** The operations of v1.51.yaml that are not served, in its order. A test checks that each of the contract is here or in `routes`. */
export const unservedRoutes: readonly (readonly [method: Method, path: string, reason: Reason])[] = [
  ['PUT', '/volumes/{name}', 'cluster-volume'],
  ['GET', '/plugins/privileges', 'absent'],
  ['POST', '/plugins/pull', 'absent'],
  ['GET', '/plugins/{name}/json', 'plugin'],
  ['DELETE', '/plugins/{name}', 'plugin'],
  ['POST', '/plugins/{name}/enable', 'plugin'],
  ['POST', '/plugins/{name}/disable', 'plugin'],
  ['POST', '/plugins/{name}/upgrade', 'plugin'],
  ['POST', '/plugins/create', 'absent'],
  ['POST', '/plugins/{name}/push', 'plugin'],
  ['POST', '/plugins/{name}/set', 'plugin'],
  ['GET', '/nodes', 'swarm'],
  ['GET', '/nodes/{name}', 'swarm'],
  ['DELETE', '/nodes/{name}', 'swarm'],
  ['POST', '/nodes/{name}/update', 'swarm'],
  ['GET', '/swarm', 'swarm'],
  ['POST', '/swarm/init', 'swarm-join'],
  ['POST', '/swarm/join', 'swarm-join'],
  ['POST', '/swarm/leave', 'swarm-leave'],
  ['POST', '/swarm/update', 'swarm'],
  ['GET', '/swarm/unlockkey', 'swarm'],
  ['POST', '/swarm/unlock', 'swarm'],
  ['GET', '/services', 'swarm'],
  ['POST', '/services/create', 'swarm'],
  ['GET', '/services/{name}', 'swarm'],
  ['DELETE', '/services/{name}', 'swarm'],
  ['POST', '/services/{name}/update', 'swarm'],
  ['GET', '/services/{name}/logs', 'swarm'],
  ['GET', '/tasks', 'swarm'],
  ['GET', '/tasks/{name}', 'swarm'],
  ['GET', '/tasks/{name}/logs', 'swarm'],
  ['GET', '/secrets', 'swarm'],
  ['POST', '/secrets/create', 'swarm'],
  ['GET', '/secrets/{name}', 'swarm'],
  ['DELETE', '/secrets/{name}', 'swarm'],
  ['POST', '/secrets/{name}/update', 'swarm'],
  ['GET', '/configs', 'swarm'],
  ['POST', '/configs/create', 'swarm'],
  ['GET', '/configs/{name}', 'swarm'],
  ['DELETE', '/configs/{name}', 'swarm'],
  ['POST', '/configs/{name}/update', 'swarm'],
  ['POST', '/session', 'absent'],
  ['POST', '/grpc', 'absent'],
]
