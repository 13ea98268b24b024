import type { Reason } from '@engine/api'
import { EngineError } from '@engine/linux'

/** The error of an operation that is not served; for those of swarm and of plugins with Docker's own texts, which clients know. */
export function refusal(reason: Reason, method: string, path: string, name: string): EngineError {
  switch (reason) {
    case 'swarm':
      return new EngineError(
        'unavailable',
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      )
    case 'swarm-leave':
      return new EngineError('unavailable', 'This node is not part of a swarm')
    case 'swarm-join':
      return new EngineError('unavailable', 'swarm is not supported: this engine serves one node', { hint: 'use Docker Engine, or Kubernetes, for a cluster' })
    case 'cluster-volume':
      return new EngineError('unavailable', 'volume update only valid for cluster volumes, but swarm is unavailable')
    case 'plugin':
      return new EngineError('not-found', `plugin ${JSON.stringify(name)} not found`)
    case 'absent':
      return new EngineError('not-implemented', `${method} ${path} is not supported by this version of engine`)
  }
}
