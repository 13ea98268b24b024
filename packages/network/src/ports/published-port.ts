import { isIPv6 } from 'node:net'
import type { Transport } from '@engine/linux/inet-socket'

/** A port of the host's that leads to a container's; or one that is open at the container's own address, where its network is `routed`. */
export interface PublishedPort {
  readonly protocol: Transport
  /** `0.0.0.0` or `::` for every address of the host's. */
  readonly hostAddress: string
  /** 0: there is none, the container is reached by its own address. */
  readonly hostPort: number
  readonly containerPort: number
  /** The container's address. IPv4 for a host address of IPv6: the container has no IPv6, and a relay stands between. */
  readonly target: string
}

/** Neighbouring ports that lead to the same numbers: one element of a rule. */
export interface PortRun extends PublishedPort {
  /** The last port; `hostPort` when it is alone. */
  readonly last: number
}

/** Whether an address stands for all of its family. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** Whether a relay in engined carries what comes in: there is no translation from IPv6 to IPv4 in the kernel. */
export function isRelayed({ hostAddress, target }: Pick<PublishedPort, 'hostAddress' | 'target'>): boolean {
  return isIPv6(hostAddress) && !isIPv6(target)
}

/** Whether a port is open at the container's own address, without translation (gateway mode `routed`). */
export function isRouted({ hostPort }: Pick<PublishedPort, 'hostPort'>): boolean {
  return hostPort === 0
}

/**
 * Whether a relay has a part in a port: in all that comes over IPv6 for a container without it, and in what comes from ::1, which the
 * kernel lets leave by no other link. Not of SCTP, whose messages a relay would have to keep apart.
 */
export function needsRelay(port: Pick<PublishedPort, 'protocol' | 'hostAddress' | 'hostPort' | 'target'>): boolean {
  const { protocol, hostAddress } = port
  return protocol !== 'sctp' && !isRouted(port) && (isRelayed(port) || hostAddress === '::1' || hostAddress === '::')
}

/** Joins ports that follow each other and keep their number. The order of the ports does not matter: the same ports give the same runs. */
export function portRuns(ports: readonly PublishedPort[]): PortRun[] {
  const runs: PortRun[] = []
  for (const port of ports.toSorted(byPlace)) {
    const before = runs.at(-1)
    if (before !== undefined && joins(before, port)) runs[runs.length - 1] = { ...before, last: port.hostPort }
    else runs.push({ ...port, last: port.hostPort })
  }
  return runs
}

function joins(run: PortRun, port: PublishedPort): boolean {
  return (
    run.last + 1 === port.hostPort && run.hostPort === run.containerPort && port.hostPort === port.containerPort &&
    run.protocol === port.protocol && run.hostAddress === port.hostAddress && run.target === port.target
  )
}

function byPlace(a: PublishedPort, b: PublishedPort): number {
  return compare(a.protocol, b.protocol) || compare(a.hostAddress, b.hostAddress) || compare(a.target, b.target) || a.hostPort - b.hostPort
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
