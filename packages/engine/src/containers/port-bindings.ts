import { isIP } from 'node:net'
import { EngineError } from '@engine/linux'
import type { PublishedPort } from '@engine/network'
import type { PortMap } from '../types/container-config.ts'
import type { PortSummary } from '../types/container-views.ts'
import type { Container, ContainerRecord } from './container.ts'

/** One wish of a container's: a port of it, at one of some ports of the host. */
export interface PortRequest {
  /** As the client wrote it, with its protocol in small letters; what is none of ours is refused at the start, as Docker does. */
  readonly protocol: string
  readonly containerPort: number
  /** undefined: every address, as the network has it. */
  readonly hostAddress: string | undefined
  /** Any of these; undefined: any that is free. */
  readonly hostPorts: readonly [first: number, last: number] | undefined
}

/** `80/tcp`, `80` or `80/TCP`; a number that is none counts as 0, as with Docker. */
export function parsePort(text: string): { readonly port: number; readonly protocol: string } {
  const [number = '', protocol = ''] = text.split('/')
  return { port: /^\d{1,5}$/.test(number) && Number(number) <= 65_535 ? Number(number) : 0, protocol: protocol === '' ? 'tcp' : protocol.toLowerCase() }
}

/**
 * Docker's check of `PortBindings`.
 * @throws EngineError invalid-argument
 */
export function checkPortBindings(bindings: PortMap | null): void {
  for (const [port, places] of Object.entries(bindings ?? {})) {
    const [number = ''] = port.split('/')
    if (!/^\d*$/.test(number) || Number(number) > 65_535) throw new EngineError('invalid-argument', `invalid port specification: ${JSON.stringify(number)}`)
    for (const { HostPort } of places ?? []) if (hostPortRange(HostPort ?? '') === 'invalid') throw new EngineError('invalid-argument', `invalid port specification: ${JSON.stringify(HostPort)}`)
  }
}

/**
 * What a container wants published: bindings of its exposed ports, and with `-P` the other exposed ones. First come those that know
 * their port, so that none of them finds it given away.
 */
export function portRequests({ config, hostConfig }: ContainerRecord): PortRequest[] {
  const requests: PortRequest[] = []
  for (const exposed of Object.keys(config.ExposedPorts ?? {})) {
    const { port: containerPort, protocol } = parsePort(exposed)
    const bindings = hostConfig.PortBindings?.[exposed] ?? []
    for (const { HostIp, HostPort } of bindings) {
      const range = hostPortRange(HostPort ?? '')
      const hostAddress = HostIp && isIP(HostIp) !== 0 ? HostIp : undefined
      requests.push({ protocol, containerPort, hostAddress, hostPorts: range === 'invalid' ? undefined : range })
    }
    if (bindings.length === 0 && hostConfig.PublishAllPorts) requests.push({ protocol, containerPort, hostAddress: undefined, hostPorts: undefined })
  }
  const choice = ({ hostPorts }: PortRequest): number => (hostPorts === undefined ? 65_536 : hostPorts[1] - hostPorts[0])
  return requests.toSorted((a, b) => choice(a) - choice(b) || a.containerPort - b.containerPort)
}

/** Bindings of ports that are not exposed: Docker takes no notice of them, and neither does engine. */
export function unexposedBindings({ config, hostConfig }: Pick<ContainerRecord, 'config' | 'hostConfig'>): string[] {
  if (hostConfig.NetworkMode === 'host' || hostConfig.NetworkMode === 'none') return []
  return Object.entries(hostConfig.PortBindings ?? {}).flatMap(([port, places]) => ((places?.length ?? 0) > 0 && config.ExposedPorts?.[port] === undefined ? [port] : []))
}

/**
 * `NetworkSettings.Ports`: where each exposed port is published; null where it is not. Nothing is shown of a container that no bridge
 * leads outside, as with Docker: of an internal network nothing is published.
 */
export function portMap(container: Container): Record<string, { HostIp: string; HostPort: string }[] | null> {
  const shown: Record<string, { HostIp: string; HostPort: string }[] | null> = {}
  if (!container.sandbox.endpoints.some(({ lease, gateway, gateway6 }) => lease !== undefined && lease.hostInterface !== '' && (gateway !== '' || gateway6 !== ''))) return shown
  for (const exposed of Object.keys(container.record.config.ExposedPorts ?? {})) {
    const { port, protocol } = parsePort(exposed)
    shown[`${port}/${protocol}`] = null
  }
  for (const { protocol, containerPort, hostAddress, hostPort } of container.sandbox.ports ?? []) {
    const places = (shown[`${containerPort}/${protocol}`] ??= [])
    // One that is reached by the container's own address has none of the host's; two bindings of it are the same.
    const place = { HostIp: hostAddress, HostPort: hostPort === 0 ? '' : String(hostPort) }
    if (hostPort !== 0 || !places.some((other) => other.HostIp === hostAddress && other.HostPort === '')) places.push(place)
  }
  return shown
}

/** `Ports` of a list's entry: one for each place, by port. */
export function portList(container: Container): PortSummary[] {
  const entries = Object.entries(portMap(container)).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.flatMap(([name, places]): PortSummary[] => {
    const { port: PrivatePort, protocol: Type } = parsePort(name)
    return places === null ? [{ PrivatePort, Type }] : places.map(({ HostIp, HostPort }) => ({ IP: HostIp, PrivatePort, ...(HostPort === '' ? {} : { PublicPort: Number(HostPort) }), Type }))
  })
}

/** Whether a container has a port published: at `80/tcp` of the host's or of its own, as Docker's filter `publish` means it. */
export function publishes(ports: readonly PublishedPort[], wanted: readonly string[]): boolean {
  return ports.some(({ protocol, hostPort, containerPort }) => wanted.includes(`${hostPort}/${protocol}`) || wanted.includes(`${containerPort}/${protocol}`))
}

/** `8080` or `8000-8010`; undefined for none, or 0. */
function hostPortRange(text: string): readonly [number, number] | undefined | 'invalid' {
  if (text === '') return undefined
  const match = /^(\d+)(?:-(\d+))?$/.exec(text)
  if (match === null) return 'invalid'
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])]
  if (first > 65_535 || last > 65_535 || first > last) return 'invalid'
  return last === 0 ? undefined : [first, last]
}
