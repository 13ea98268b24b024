import { randomBytes } from 'node:crypto'
import { constants, openSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { Descriptor } from '@engine/linux/descriptor'
import { Routing, type LinkSettings } from '@engine/linux/netlink'
import { inNetworkNamespace } from '@engine/linux/setns'
import { primeThreads } from '@engine/linux/unshare'
import { broadcastOf, type Cidr } from './cidr.ts'
import { disableIPv6 } from './ipv6.ts'

const universe = 0

/** A container's connection to a bridge: a veth, one end a port of the bridge, the other in the container's sandbox. */
export interface EndpointSettings {
  /** Path of the sandbox. */
  readonly sandbox: string
  /** Index of the bridge. */
  readonly bridge: number
  /** Name of the end on the host, at most 15 characters. */
  readonly hostInterface: string
  /** Name of the end in the sandbox: `eth0`. */
  readonly containerInterface: string
  readonly address: Cidr
  readonly mac: string
  /** Where the default route leads; left out for a network without a way out. */
  readonly gateway?: string | undefined
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

/** Runs in the sandbox's network namespace. */
function configureContainerEnd(settings: EndpointSettings): void {
  disableIPv6(settings.containerInterface)
  using routing = new Routing()
  const link = routing.findLink({ name: settings.containerInterface })
  if (link === undefined) throw new EngineError('unavailable', `network interface ${settings.containerInterface} is gone`)
  const { address, prefix } = settings.address
  routing.addAddress({ index: link.index, address, prefix, scope: universe, broadcast: broadcastOf(settings.address) })
  routing.setLink({ index: link.index, up: true })
  if (settings.gateway !== undefined) routing.addRoute({ index: link.index, gateway: settings.gateway, scope: universe })
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
    throw cause
  }
}

function openSandbox(path: string): Descriptor {
  try {
    return new Descriptor(openSync(path, constants.O_RDONLY))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new EngineError('not-found', `network sandbox ${path} is gone`, { cause })
    throw cause
  }
}
