import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { allocateAddress, BridgeNetwork, createLease, createSandbox, defaultSubnetPools, Firewall, listSandboxes, randomHostInterface, removeSandbox, type BridgeNetworkSettings, type EndpointLease } from '@engine/network'
import { enterPrivateHost, inSandbox, linkNames, onHost, until } from './network-host.ts'
import { deadDirectories, makeOwnedDirectory } from './owned-directory.ts'

const prefix = 'engine-bridge-'
export const outsideAddress = '198.51.100.2'
export const hostAddress = '198.51.100.1'
export const bridgeSettings: BridgeNetworkSettings = { bridge: 'engtest0', subnetPools: defaultSubnetPools, mtu: 1500, masquerade: true, interContainer: true }

/** A host that is a namespace of the test's own, with a firewall of ours and an outside. */
export interface BridgeHost extends Disposable {
  /** Of the sandboxes. */
  readonly directory: string
  readonly table: string
  readonly firewall: Firewall
  /** Path of the namespace beyond the host. */
  readonly outside: string
  /** A namespace beyond the host, with a link to it: the world, or a neighbour in the host's network. */
  connectOutside(name: string, uplink: string, net: string): Promise<string>
  /** A network that is away at the end of the test's scope, with the containers that were connected to it. */
  network(change?: Partial<BridgeNetworkSettings>): TestNetwork
}

export interface TestNetwork extends AsyncDisposable {
  readonly bridge: BridgeNetwork
  readonly view: ReturnType<BridgeNetwork['ensure']>
  connect(name: string, antiSpoofing?: boolean): Promise<{ path: string; lease: EndpointLease & { readonly address: string } }>
}

/** Makes one. Namespaces that test runs have left which died are cleared first: their mounts keep them. */
export async function openBridgeHost(): Promise<BridgeHost> {
  for (const dead of deadDirectories(prefix)) clear(dead)
  await enterPrivateHost()
  const root = makeOwnedDirectory(prefix)
  const directory = join(root, 'netns')
  const table = `engine-test-${process.pid}`
  onHost('echo 1 >/proc/sys/net/ipv4/ip_forward')
  const firewall = new Firewall(table)
  firewall.ensure()
  const connectOutside: BridgeHost['connectOutside'] = async (name, uplink, net) => {
    const path = join(directory, name)
    await createSandbox(path)
    onHost(`ip link add ${uplink} type veth peer name out0 && nsenter --net=${path} true && ip link set out0 netns ${path}`)
    onHost(`ip address add ${net}.1/24 dev ${uplink} && ip link set ${uplink} up`)
    inSandbox(path, `ip address add ${net}.2/24 dev out0 && ip link set out0 up`)
    return path
  }
  return {
    directory,
    table,
    firewall,
    outside: await connectOutside('outside', 'uplink0', '198.51.100'),
    connectOutside,
    network: (change = {}) => openNetwork(firewall, directory, change),
    [Symbol.dispose]() {
      firewall.remove()
      firewall[Symbol.dispose]()
      clear(root)
    },
  }
}

function openNetwork(firewall: Firewall, directory: string, change: Partial<BridgeNetworkSettings>): TestNetwork {
  const bridge = new BridgeNetwork({ ...bridgeSettings, ...change }, firewall)
  const view = bridge.ensure()
  const leases = new Map<string, EndpointLease>()
  return {
    bridge,
    view,
    async connect(name, antiSpoofing = true) {
      const path = join(directory, name)
      await createSandbox(path)
      const address = allocateAddress(bridge.pool() ?? assert.fail('no addresses'), new Set([...leases.values()].map((lease) => lease.address ?? '')))
      const lease = { ...createLease({ hostInterface: randomHostInterface(), antiSpoofing, address }), address }
      leases.set(path, lease)
      await bridge.connect(path, lease)
      return { path, lease }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const [path, lease] of leases) {
        bridge.release(lease)
        removeSandbox(path)
      }
      await bridge.remove()
      bridge[Symbol.dispose]()
      const own = new Set([...leases.values()].map(({ hostInterface }) => hostInterface))
      await until(() => !linkNames().some((name) => own.has(name)))
    },
  }
}

function clear(root: string): void {
  const sandboxes = join(root, 'netns')
  if (existsSync(sandboxes)) for (const name of listSandboxes(sandboxes)) removeSandbox(join(sandboxes, name))
  rmSync(root, { recursive: true, force: true })
}
