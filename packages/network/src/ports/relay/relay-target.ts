import { isRelayed, isUnspecified } from '../published-port.ts'
import type { RelayedPort } from './messages.ts'

interface Place {
  readonly address: string
  readonly port: number
}

/** Where a connection that came for an address and port of the host's goes on to; undefined when it has no business here. */
export function relayTarget(all: Iterable<readonly RelayedPort[]>, { address, port }: Place): Place | undefined {
  for (const ports of all) {
    for (const one of ports) {
      const { hostAddress, hostPort, last, containerPort, target } = one
      if (port < hostPort || port > last || (hostAddress !== address && !isUnspecified(hostAddress))) continue
      // What the kernel leads there itself comes here only from ::1.
      if (isRelayed(one) || address === '::1') return { address: target, port: last > hostPort ? port : containerPort }
    }
  }
  return undefined
}
