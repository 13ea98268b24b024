import { execFile } from 'node:child_process'
import { isDeepStrictEqual, promisify } from 'node:util'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import type { TestDaemon } from './daemon.ts'
import { patience } from './patience.ts'

interface Endpoint {
  readonly networkId: string
  readonly prefix: number
  readonly prefix6: number
  readonly gateway: string
  readonly gateway6: string
  readonly lease?: { readonly containerInterface: string; readonly address?: string; readonly address6?: string; readonly mac: string }
}

interface Member {
  readonly name: string
  readonly key: string
  readonly endpoints: readonly Endpoint[]
  readonly aliases: Readonly<Record<string, readonly string[]>>
}

const run = promisify(execFile)

/** Looks until all is right: on a busy machine an answer may come after its asker has given up. @returns what is wrong at last */
export async function settledSandboxDiscrepancies(daemon: TestDaemon): Promise<string[]> {
  let found: string[] = []
  for (let i = 0; i < 5 * patience; i++) {
    found = await sandboxDiscrepancies(daemon)
    if (found.length === 0) break
  }
  return found
}

/**
 * Compares the network namespaces of running containers with the database: links with their addresses, default routes, and what the
 * nameserver in each says of every name that a network knows.
 * @returns each difference, in words; empty when all is right
 */
async function sandboxDiscrepancies(daemon: TestDaemon): Promise<string[]> {
  const members = runningMembers(daemon)
  const found = await Promise.all(members.map(async (member) => [...(await links(member)), ...(await routes(member)), ...(await names(member, members))]))
  return found.flat()
}

function runningMembers({ dataRoot, execRoot }: TestDaemon): Member[] {
  using db = new DatabaseSync(join(dataRoot, 'engine.db'), { readOnly: true })
  const networks = new Map((db.prepare("SELECT id, name FROM networks WHERE name NOT IN ('bridge', 'host', 'none')").all() as { id: string; name: string }[]).map(({ id, name }) => [name, id]))
  const rows = db.prepare('SELECT name, sandbox, endpoints FROM containers WHERE pid > 0').all() as { name: string; sandbox: string; endpoints: string }[]
  return rows.flatMap(({ name, sandbox, endpoints }) => {
    const { key, endpoints: places } = JSON.parse(sandbox) as { key: string; endpoints: readonly Endpoint[] }
    if (!key.startsWith(execRoot) || key.endsWith('/default')) return []
    const requests = JSON.parse(endpoints) as Record<string, { Aliases: string[] | null }>
    const aliases = Object.fromEntries(Object.entries(requests).flatMap(([network, { Aliases }]) => (networks.has(network) ? [[networks.get(network), Aliases ?? []]] : [])))
    return [{ name, key, endpoints: places, aliases }]
  })
}

async function inside({ key }: Member, ...command: readonly string[]): Promise<string> {
  return (await run('nsenter', [`--net=${key}`, ...command])).stdout
}

async function links(member: Member): Promise<string[]> {
  const listed = JSON.parse(await inside(member, 'ip', '-j', 'address')) as { ifname: string; address: string; addr_info: { scope: string; local: string; prefixlen: number }[] }[]
  const actual = listed.filter(({ ifname }) => ifname !== 'lo').map(({ ifname, address, addr_info: addresses }) => [ifname, address, ...addresses.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort()].join(' '))
  const expected = member.endpoints.flatMap(({ lease, prefix, prefix6 }) =>
    lease === undefined ? [] : [[lease.containerInterface, lease.mac, ...[...(lease.address === undefined ? [] : [`${lease.address}/${prefix}`]), ...(lease.address6 === undefined ? [] : [`${lease.address6}/${prefix6}`])].sort()].join(' ')])
  return differences(`link of ${member.name}`, actual, expected)
}

async function routes(member: Member): Promise<string[]> {
  const found: string[] = []
  for (const [family, key] of [['-4', 'gateway'], ['-6', 'gateway6']] as const) {
    const listed = JSON.parse((await inside(member, 'ip', family, '-j', 'route', 'show', 'default')) || '[]') as { gateway?: string }[]
    const gateways = member.endpoints.map((endpoint) => endpoint[key]).filter((gateway) => gateway !== '')
    const right = gateways.length === 0 ? listed.length === 0 : listed.length === 1 && gateways.includes(listed[0]?.gateway ?? '')
    if (!right) found.push(`default routes of ${member.name}: ${JSON.stringify(listed)}, of ${gateways.join(', ')}`)
  }
  return found
}

/** Each name of a member's networks, asked for in its namespace. It is told what the name is on one of them. */
async function names(member: Member, members: readonly Member[]): Promise<string[]> {
  // Only networks of users' own have names.
  const own = new Set(member.endpoints.map(({ networkId }) => networkId).filter((id) => id in member.aliases))
  const meant = new Map<string, Map<string, string[]>>()
  for (const other of members) {
    for (const { networkId, lease } of other.endpoints) {
      const aliases = other.aliases[networkId]
      if (!own.has(networkId) || lease?.address === undefined || aliases === undefined) continue
      for (const name of [other.name, ...aliases]) {
        const onNetworks = meant.get(name) ?? new Map<string, string[]>()
        meant.set(name, onNetworks.set(networkId, [...(onNetworks.get(networkId) ?? []), lease.address]))
      }
    }
  }
  const found: string[] = []
  for (const [name, onNetworks] of meant) {
    const answer = await inside(member, 'busybox', 'nslookup', '-type=a', name, '127.0.0.11').catch((error: unknown) => String(error))
    const told = [...answer.matchAll(/^Name:.*\nAddress(?: \d+)?: (\S+)/gm)].map(([, address = '']) => address).sort()
    const right = [...onNetworks.values()].some((addresses) => isDeepStrictEqual(addresses.toSorted(), told))
    if (!right) found.push(`${name} is ${told.join(', ') || answer} to ${member.name}, not ${[...onNetworks.values()].map(String).join(' or ')}`)
  }
  return found
}

function differences(what: string, actual: readonly string[], expected: readonly string[]): string[] {
  return [...actual.filter((one) => !expected.includes(one)).map((one) => `+ ${what}: ${one}`), ...expected.filter((one) => !actual.includes(one)).map((one) => `- ${what}: ${one}`)]
}
