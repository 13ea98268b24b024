import { isAtLeast, type ContainerUpdateBody } from '@engine/api'

/**
 * Takes from an update what its API version did not know (moby: container_routes.go, postContainerUpdate).
 * No limit of pids is written 0 here, however the client said it: null would leave the limit as it is.
 */
export function updateForVersion(version: string, body: ContainerUpdateBody): ContainerUpdateBody {
  const { PidsLimit, ...rest } = body
  if (!isAtLeast(version, '1.40') || typeof PidsLimit !== 'number') return rest
  return { ...rest, PidsLimit: Math.max(0, PidsLimit) }
}
