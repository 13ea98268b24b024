import type { Cidr } from '../cidr.ts'

/** What a daemon finds of its endpoints' rules after a crash. */
export interface ListedEndpoint {
  readonly hostInterface: string
  /** undefined when only the separation from its neighbours is listed */
  readonly mac: string | undefined
  /** Without those that every endpoint with IPv6 has: its link-local one, and none. */
  readonly addresses: readonly string[] | undefined
}

/** A chain of somebody else's that drops forwarded packets unless a rule of it accepts them. */
export interface ForwardConflict {
  readonly family: string
  readonly table: string
  readonly chain: string
}

type Json = Readonly<Record<string, unknown>>

/**
 * The elements of a set, each as its parts: `["veth1", "02:42:ac:11:00:02", "172.17.0.2"]`. Reads the JSON of `list set`
 * (libnftables-json(5)).
 */
export function parseSetElements(listing: unknown): string[][] {
  const [set] = objects(listing, 'set')
  const elements = set?.['elem']
  if (!Array.isArray(elements)) return []
  return elements.map((element: unknown) => {
    const parts: unknown = isObject(element) ? element['concat'] : [element]
    return Array.isArray(parts) ? parts.map(String) : []
  })
}

/** The keys of a map of one part. Reads the JSON of `list map`. */
export function parseMapKeys(listing: unknown): string[] {
  const [map] = objects(listing, 'map')
  const elements = map?.['elem']
  if (!Array.isArray(elements)) return []
  return elements.flatMap((element: unknown) => (Array.isArray(element) && typeof element[0] === 'string' ? [element[0]] : []))
}

/** A link, and a network that a set holds with it. */
export interface LinkNetwork {
  readonly link: string
  readonly network: Cidr
}

/** The elements of a set of links and networks. Reads the JSON of `list set`, where a network of one address is its text alone. */
export function parseLinkNetworks(listing: unknown): LinkNetwork[] {
  const [set] = objects(listing, 'set')
  const elements = set?.['elem']
  if (!Array.isArray(elements)) return []
  return elements.flatMap((element: unknown) => {
    const parts: unknown = isObject(element) ? element['concat'] : undefined
    const [link, place]: readonly unknown[] = Array.isArray(parts) ? parts : []
    const network = parseNetwork(place)
    return typeof link === 'string' && network !== undefined ? [{ link, network }] : []
  })
}

function parseNetwork(place: unknown): Cidr | undefined {
  if (typeof place === 'string') return { address: place, prefix: place.includes(':') ? 128 : 32 }
  const prefix = isObject(place) ? place['prefix'] : undefined
  if (!isObject(prefix) || typeof prefix['addr'] !== 'string' || typeof prefix['len'] !== 'number') return undefined
  return { address: prefix['addr'], prefix: prefix['len'] }
}

/** Base chains at the forward hook of IP whose policy is drop, except those of table `own`. Reads the JSON of `list chains`. */
export function parseForwardDrops(listing: unknown, own: string): ForwardConflict[] {
  return objects(listing, 'chain').flatMap((chain) => {
    const { family, table, name, hook, policy } = chain
    const relevant = hook === 'forward' && policy === 'drop' && (family === 'ip' || family === 'inet') && table !== own
    return relevant ? [{ family: String(family), table: String(table), chain: String(name) }] : []
  })
}

/** A chain of type filter at a hook; `engine`: its table is an engine's, by the chains that each of them has. */
export interface FilterBase {
  readonly family: string
  readonly table: string
  readonly engine: boolean
}

/** Base chains of type filter at a hook. Reads the JSON of `list chains`. */
export function parseFilterBases(listing: unknown, hook: string): FilterBase[] {
  const chains = objects(listing, 'chain')
  const engines = new Set(chains.filter(({ name }) => name === 'published-outside').map(({ table }) => String(table)))
  return chains.flatMap(({ family, table, type, hook: at }) => (type === 'filter' && at === hook ? [{ family: String(family), table: String(table), engine: engines.has(String(table)) }] : []))
}

/** What a listing says of some tables, each given as `family name`. */
export function withTables(listing: unknown, tables: ReadonlySet<string>): unknown {
  const entries = isObject(listing) && Array.isArray(listing['nftables']) ? listing['nftables'] : []
  const concerned = (entry: unknown): boolean => isObject(entry) && Object.values(entry).some((part) => isObject(part) && tables.has(`${String(part['family'])} ${String(part['table'])}`))
  return { nftables: entries.filter(concerned) }
}

/** Whether a table of any name has this chain. Reads the JSON of `list chains`. */
export function hasChain(listing: unknown, name: string): boolean {
  return objects(listing, 'chain').some((chain) => chain['name'] === name)
}

/** Whether a table's rules name a link anywhere. Reads the JSON of `list table`. */
export function mentionsLink(listing: unknown, link: string): boolean {
  if (typeof listing === 'string') return listing === link
  if (Array.isArray(listing)) return listing.some((part) => mentionsLink(part, link))
  return isObject(listing) && Object.values(listing).some((part) => mentionsLink(part, link))
}

function objects(listing: unknown, kind: string): Json[] {
  const entries = isObject(listing) ? listing['nftables'] : undefined
  if (!Array.isArray(entries)) return []
  return entries.flatMap((entry: unknown) => {
    const found = isObject(entry) ? entry[kind] : undefined
    return isObject(found) ? [found] : []
  })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
