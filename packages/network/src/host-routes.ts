import { closeSync, openSync } from 'node:fs'
import { mainTable, Routing } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'
import { primeThreads } from '@engine/linux/unshare'
import { contains } from './cidr.ts'

const unicast = 1

/** Where packets to an address leave a namespace. */
export interface FoundRoute {
  /** Name of the link. */
  readonly link: string
  readonly gateway: string | undefined
  /** The address is the namespace's own. */
  readonly local: boolean
}

/**
 * The route that leads to an IPv4 address, in this thread's network namespace or in a sandbox: the longest prefix; rules of policy
 * routing are not looked at. undefined where none does.
 * @param sandbox path of it
 */
export async function findRoute(address: string, sandbox?: string): Promise<FoundRoute | undefined> {
  if (sandbox === undefined) return lookUp(address)
  await primeThreads()
  const fd = openSync(sandbox, 'r')
  try {
    return inNetworkNamespace(fd, () => lookUp(address))
  } finally {
    closeSync(fd)
  }
}

function lookUp(address: string): FoundRoute | undefined {
  using routing = new Routing()
  if (address.startsWith('127.') || routing.listAddresses().some((own) => own.address === address)) return { link: 'lo', gateway: undefined, local: true }
  const [best] = routing
    .listRoutes()
    .filter(({ destination, table, type }) => table === mainTable && type === unicast && (destination === undefined || contains(destination, address)))
    .sort((a, b) => (b.destination?.prefix ?? 0) - (a.destination?.prefix ?? 0))
  const link = best?.index === undefined ? undefined : routing.findLink({ index: best.index })
  return link === undefined ? undefined : { link: link.name, gateway: best?.gateway, local: false }
}
