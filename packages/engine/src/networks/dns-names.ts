import type { Container, EndpointRequest } from '../containers/container.ts'

/**
 * The names by which a container is found on a network of a user's own: its name, its aliases there, its short id, its hostname
 * (moby: buildEndpointDNSNames).
 */
export function dnsNames(container: Container, request: Pick<EndpointRequest, 'Aliases'> | undefined): string[] {
  const { id, record } = container
  const { Hostname: hostname } = record.config
  return [...new Set([container.name, ...(request?.Aliases ?? []), id.slice(0, 12), ...(hostname === '' ? [] : [hostname])])]
}
