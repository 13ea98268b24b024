import { randomBytes } from 'node:crypto'
import { EngineError, Errno, failedWith } from '@engine/linux'
import type { LinkSettings, Routing } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'
import { primeThreads } from '@engine/linux/unshare'
import { configureContainerEnd, openSandbox, type ContainerEndSettings } from './container-end.ts'
import { disableIPv6 } from './ipv6.ts'

/** A container's connection to a bridge: a veth, one end a port of the bridge, the other in the container's sandbox. */
export interface EndpointSettings extends ContainerEndSettings {
  /** Path of the sandbox. */
  readonly sandbox: string
  /** Index of the bridge. */
  readonly bridge: number
  /** Name of the end on the host, at most 15 characters. */
  readonly hostInterface: string
  readonly mac: string
  /** bytes */
  readonly mtu: number
}

/** A name for a veth's end on the host, as Docker makes it: `veth1a2b3c4`. Some other link may have it; connect says so. */
export function randomHostInterface(): string {
  return `veth${randomBytes(4).toString('hex').slice(0, 7)}`
}

/**
 * Connects a sandbox to a bridge, in one or two milliseconds: veth, address, route, up. What fails is undone. A port of the bridge
 * that has the name already is what a crash left, and is replaced.
 * @param routing of the namespace that the bridge is in
 * @throws EngineError not-found when there is no such sandbox, conflict when a name is taken; SyscallError
 */
export async function attachEndpoint(routing: Routing, settings: EndpointSettings): Promise<void> {
  await primeThreads()
  using sandbox = openSandbox(settings.sandbox)
  await createVeth(routing, settings, sandbox.fd)
  try {
    disableIPv6(settings.hostInterface)
    inNetworkNamespace(sandbox.fd, () => configureContainerEnd(settings))
    routing.setLink({ name: settings.hostInterface, up: true })
  } catch (error) {
    await detachEndpoint(routing, settings.hostInterface)
    throw error
  }
}

/**
 * Disconnects a running container: both ends of its veth go. This takes the kernel some 30 ms; when the sandbox ends anyhow,
 * {@link silenceEndpoint} is enough. Nothing happens when they are gone already.
 */
export async function detachEndpoint(routing: Routing, hostInterface: string): Promise<void> {
  const link = routing.findLink({ name: hostInterface })
  if (link !== undefined) await routing.deleteLink(link.index)
}

/**
 * Takes a veth away that is a port of this bridge: what a crash left, in a namespace that may live on. Nothing happens to any other
 * link of that name.
 * @returns whether it was there
 */
export async function removePort(routing: Routing, bridge: number, hostInterface: string): Promise<boolean> {
  const link = routing.findLink({ name: hostInterface })
  return link?.kind === 'veth' && link.master === bridge && (await routing.deleteLink(link.index))
}

/**
 * Takes a veth's end on the host down: nothing passes any more, and the bridge forgets what it learned there. The kernel removes
 * the veth together with the sandbox's namespace, some time after its last process; until then its address may be another's
 * already. Nothing happens when it is gone.
 */
export function silenceEndpoint(routing: Routing, hostInterface: string): void {
  try {
    routing.setLink({ name: hostInterface, up: false })
  } catch (error) {
    if (!failedWith(error, Errno.ENODEV)) throw error
  }
}

/** The host's end stays down until the other one is configured: up, it would at once look for IPv6 neighbours. */
async function createVeth(routing: Routing, settings: EndpointSettings, sandboxFd: number): Promise<void> {
  const { hostInterface, containerInterface, bridge, mac, mtu } = settings
  const veth: LinkSettings = { name: hostInterface, kind: 'veth', master: bridge, mtu, peer: { name: containerInterface, mac, mtu, namespace: sandboxFd } }
  try {
    try {
      routing.createLink(veth)
    } catch (error) {
      if (!failedWith(error, Errno.EEXIST) || !(await removePort(routing, bridge, hostInterface))) throw error
      routing.createLink(veth)
    }
  } catch (cause) {
    if (failedWith(cause, Errno.EEXIST)) throw new EngineError('conflict', `network interface ${hostInterface} or ${containerInterface} exists already`, { cause })
    if (failedWith(cause, Errno.EADDRNOTAVAIL)) throw new EngineError('invalid-argument', `failed to add interface ${hostInterface} to sandbox: error setting interface "${hostInterface}" MAC to "${mac}": cannot assign requested address`, { cause })
    throw cause
  }
}
