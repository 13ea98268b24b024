import { parseIpAddress } from '@engine/linux/netlink'
import { RecordType, reverseAddress, writeResponse, ResponseCode, type Answer, type Query } from './message.ts'

/** A container's place on a network, as far as names go. */
export interface NamedEndpoint {
  /** By which it is found on the network; the first one is what its addresses are called. */
  readonly names: readonly string[]
  readonly address?: string | undefined
  readonly address6?: string | undefined
}

/** What a sandbox asks on one of its networks. */
export interface SandboxNetwork {
  readonly networkId: string
  /** Names of its own for others on that network (links): `db` → `postgres-1`. */
  readonly links: Readonly<Record<string, string>>
}

/** Seconds that an answer may be kept, as with Docker. */
const ttl = 600

interface Network {
  readonly name: string
  readonly endpoints: Map<string, NamedEndpoint>
  /** Endpoints by each name, in small letters. */
  readonly byName: Map<string, Set<NamedEndpoint>>
  readonly byAddress: Map<string, NamedEndpoint>
}

/** An answer of our own to a name, or that it is none of ours. */
type Found = { readonly addresses: readonly Buffer[] } | 'no such family' | undefined

/** Who is called what on which network. */
export class Zone {
  readonly #networks = new Map<string, Network>()

  setNetwork(id: string, name: string): void {
    if (!this.#networks.has(id)) this.#networks.set(id, { name, endpoints: new Map(), byName: new Map(), byAddress: new Map() })
  }

  removeNetwork(id: string): void {
    this.#networks.delete(id)
  }

  /** Adds an endpoint, or changes its names. */
  setEndpoint(networkId: string, id: string, endpoint: NamedEndpoint): void {
    this.removeEndpoint(networkId, id)
    const network = this.#networks.get(networkId)
    if (network === undefined) return
    network.endpoints.set(id, endpoint)
    for (const name of endpoint.names) {
      const key = name.toLowerCase()
      network.byName.set(key, (network.byName.get(key) ?? new Set()).add(endpoint))
    }
    for (const key of addressKeys(endpoint)) network.byAddress.set(key, endpoint)
  }

  removeEndpoint(networkId: string, id: string): void {
    const network = this.#networks.get(networkId)
    const endpoint = network?.endpoints.get(id)
    if (network === undefined || endpoint === undefined) return
    network.endpoints.delete(id)
    for (const name of endpoint.names) {
      const key = name.toLowerCase()
      const named = network.byName.get(key)
      named?.delete(endpoint)
      if (named?.size === 0) network.byName.delete(key)
    }
    for (const key of addressKeys(endpoint)) if (network.byAddress.get(key) === endpoint) network.byAddress.delete(key)
  }

  /**
   * What is answered to a sandbox without asking anybody; undefined when the name is none of its networks' (moby: libnetwork
   * resolver.go and Sandbox.ResolveName).
   * @param limit bytes that the answer may have
   */
  answer(query: Query, networks: readonly SandboxNetwork[], limit: number): Buffer | undefined {
    const respond = (answers: readonly Answer[]): Buffer => writeResponse(query, ResponseCode.NOERROR, answers, ttl, limit)
    switch (query.type) {
      case RecordType.A:
      case RecordType.AAAA: {
        const { type } = query
        const found = this.#resolve(query.name, networks, type === RecordType.AAAA)
        if (found === undefined) return undefined
        return respond(found === 'no such family' ? [] : shuffled(found.addresses).map((data) => ({ type, data })))
      }
      // A mail server takes a name with an address and no MX for itself.
      case RecordType.MX:
        return this.#resolve(query.name, networks, false) === undefined && this.#resolve(query.name, networks, true) === undefined ? undefined : respond([])
      case RecordType.PTR: {
        const name = this.#nameOf(query.name, networks)
        return name === undefined ? undefined : respond([{ type: RecordType.PTR, name }])
      }
      default:
        return undefined
    }
  }

  /** `a.b.c` may be a name, `a.b` on network `c`, or `a` on network `b.c`. */
  #resolve(given: string, networks: readonly SandboxNetwork[], ipv6: boolean): Found {
    const name = given.toLowerCase()
    for (let dot = name.length; dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
      const [label, network] = [name.slice(0, dot), name.slice(dot + 1)]
      const found = this.#find(label, network, networks, true, ipv6) ?? this.#find(label, network, networks, false, ipv6)
      if (found !== undefined) return found
    }
    return undefined
  }

  #find(name: string, networkName: string, networks: readonly SandboxNetwork[], linked: boolean, ipv6: boolean): Found {
    let found: Found
    for (const { networkId, links } of networks) {
      const network = this.#networks.get(networkId)
      if (network === undefined || (networkName !== '' && network.name.toLowerCase() !== networkName)) continue
      const target = Object.entries(links).find(([alias]) => alias.toLowerCase() === name)?.[1]
      if ((target !== undefined) !== linked) continue
      const here = addressesOf(network, (target ?? name).toLowerCase(), ipv6)
      if (here !== undefined && here !== 'no such family') return here
      found ??= here
    }
    return found
  }

  #nameOf(name: string, networks: readonly SandboxNetwork[]): string | undefined {
    const address = reverseAddress(name)?.toString('hex')
    if (address === undefined) return undefined
    for (const { networkId } of networks) {
      const network = this.#networks.get(networkId)
      const first = network?.byAddress.get(address)?.names[0]
      if (network !== undefined && first !== undefined) return `${first}.${network.name}`
    }
    return undefined
  }
}

function addressKeys({ address, address6 }: NamedEndpoint): string[] {
  return [address, address6].filter((one) => one !== undefined).map((one) => parseIpAddress(one).toString('hex'))
}

function addressesOf(network: Network, name: string, ipv6: boolean): Found {
  const endpoints = network.byName.get(name)
  if (endpoints === undefined) return undefined
  const addresses = new Set([...endpoints].map((endpoint) => (ipv6 ? endpoint.address6 : endpoint.address)).filter((address) => address !== undefined))
  // The name is ours: what the network has no addresses for is not asked for outside.
  return addresses.size === 0 ? 'no such family' : { addresses: [...addresses].map(parseIpAddress) }
}

/** Several containers of one name take turns. */
function shuffled<T>(list: readonly T[]): T[] {
  const copy = [...list]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const [a, b] = [copy[i] as T, copy[j] as T]
    copy[i] = b
    copy[j] = a
  }
  return copy
}
