import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseIpAddress } from '@engine/linux/netlink'
import { linkLocalAddress } from '@engine/network'
import type { TestDaemon } from './daemon.ts'
import { patience } from './patience.ts'
import { expectedElements, expectedSockets, heldSockets, isOnLoopback, publishedElements, publishedHolders, routesLoopback, type PublishedRow } from './published-state.ts'

/** What of a daemon is on the host, as the kernel and the disk have it; every list sorted. */
export interface HostState {
  /** Mount points below data root and exec root, as often as they are mounted. */
  readonly mounts: readonly string[]
  readonly sandboxes: readonly string[]
  /** Bridges that the tables have rules for. */
  readonly bridges: readonly string[]
  /** Ports of the bridges. */
  readonly ports: readonly string[]
  /** What is published, as the rules have it, and the sockets that keep it. */
  readonly published: readonly string[]
  readonly held: readonly string[]
  /** Elements of the tables' sets that name a port. */
  readonly rules: readonly string[]
  /** Cgroups below the parent's, in whatever hierarchy. */
  readonly groups: readonly string[]
  /** Names in directories of the data root and the exec root. */
  readonly files: readonly string[]
  /** Children of the shim, its keeper apart. */
  readonly processes: readonly number[]
}

/** What the database has. */
export interface Rows {
  readonly containers: readonly { readonly id: string; readonly status: string; readonly pid: number; readonly key: string; readonly leases: readonly Lease[]; readonly published: readonly PublishedRow[]; readonly shared: boolean; readonly mounts: string }[]
  readonly networks: readonly { readonly id: string; readonly bridge: string }[]
  readonly intents: readonly string[]
  readonly images: readonly string[]
  readonly layers: readonly { readonly id: string; readonly blob: string | undefined }[]
  /** Digests that images, layers and pulls have in the content store, besides configurations. */
  readonly blobs: readonly string[]
  /** Digests that a pull fetches, or that one which was broken off has left for the next. */
  readonly fetched: readonly string[]
  readonly volumes: readonly string[]
  readonly execs: readonly { readonly container: string; readonly id: string; readonly status: string; readonly pid: number }[]
}

interface Lease {
  readonly hostInterface: string
  readonly address?: string
  readonly address6?: string
  readonly mac: string
}

/** Looks at the host. */
export function hostState(daemon: TestDaemon): HostState {
  const { dataRoot, execRoot, bridge, table, cgroupParent } = daemon
  const shown = (path: string): string => path.replace(dataRoot, 'data').replace(execRoot, 'run')
  const files = (root: string, ...folders: readonly string[]): string[] => folders.flatMap((folder) => names(join(root, folder)).map((name) => shown(join(root, folder, name))))
  const sets = ['inet', 'bridge'].flatMap((family) => listSets(family, table))
  const all = sets.filter(({ name }) => !publishedHolders.has(name)).flatMap(({ elem = [] }) => elem.map(shownElement))
  // The map of bridges has them as its keys.
  const bridges = [...new Set([bridge, ...all.filter((element) => existsSync(`/sys/class/net/${element}/bridge`))])].sort()
  return {
    bridges,
    mounts: mountPoints().filter((point) => [dataRoot, execRoot].some((root) => point.startsWith(`${root}/`))).map(shown).sort(),
    sandboxes: names(join(execRoot, 'netns')),
    ports: bridges.flatMap(ports).sort(),
    published: sets.filter(({ name }) => publishedHolders.has(name)).flatMap(({ name, elem = [] }) => publishedElements(name, elem)),
    held: heldSockets(daemon),
    rules: all.filter((element) => !bridges.some((name) => element.startsWith(name))).sort(),
    // Of v1 hierarchies, and of the unified one.
    groups: ['.', ...readdirSync('/sys/fs/cgroup')].flatMap((hierarchy) => names(join('/sys/fs/cgroup', hierarchy, cgroupParent)).filter(isId).map((id) => `${hierarchy} ${id}`)).sort(),
    files: [
      ...files(dataRoot, 'containers', 'overlay2', 'overlay2/.making', 'overlay2/.trash', 'content/sha256', 'content/ingest', 'volumes', 'volumes/.removed', 'volumes/.making', 'volumes/.renamed', 'builds'),
      ...files(execRoot, 'containers'),
    ].sort(),
    processes: childrenOfShim(daemon.shimPid()),
  }
}

/** Looks at the database. */
export function rows(daemon: TestDaemon): Rows {
  using db = new DatabaseSync(join(daemon.dataRoot, 'engine.db'), { readOnly: true })
  const all = (query: string): Record<string, string>[] => db.prepare(query).all() as Record<string, string>[]
  return {
    containers: all('SELECT id, status, CAST(pid AS TEXT) AS pid, sandbox, host_config, mounts FROM containers ORDER BY id').map(({ id = '', status = '', pid, sandbox = '', host_config: host = '', mounts = '' }) => {
      const { key = '', endpoints = [], ports: published = [] } = JSON.parse(sandbox) as { readonly key?: string; readonly endpoints?: readonly { readonly lease?: Lease }[]; readonly ports?: readonly PublishedRow[] }
      return { id, status, pid: Number(pid), key, leases: endpoints.flatMap(({ lease }) => (lease === undefined ? [] : [lease])), published, shared: (JSON.parse(host) as { IpcMode?: string }).IpcMode === 'shareable', mounts }
    }),
    networks: all('SELECT id, settings FROM networks').map(({ id = '', settings = '{}' }) => ({ id, bridge: (JSON.parse(settings) as { bridge?: string }).bridge ?? '' })),
    intents: all('SELECT operation, subject FROM intents').map(({ operation, subject }) => `${operation} ${subject}`),
    images: all('SELECT id FROM images ORDER BY id').map(({ id = '' }) => id),
    layers: all('SELECT id, blob FROM layers ORDER BY id').map(({ id = '', blob }) => ({ id, blob: blob ?? undefined })),
    blobs: all('SELECT digest FROM image_contents UNION SELECT blob FROM layers WHERE blob IS NOT NULL').map(({ digest = '' }) => digest),
    fetched: all('SELECT digest FROM fetched_blobs').map(({ digest = '' }) => digest),
    volumes: all('SELECT name FROM volumes ORDER BY name').map(({ name = '' }) => name),
    execs: all('SELECT container_id, id, status, CAST(pid AS TEXT) AS pid FROM execs ORDER BY id').map(({ container_id: container = '', id = '', status = '', pid }) => ({ container, id, status, pid: Number(pid) })),
  }
}

/**
 * Compares what is on the host with the database, and the database with the API.
 * @returns each thing that is on one side only: `+ what` on the host, `- what` missing there; empty when all is right
 */
export async function discrepancies(daemon: TestDaemon): Promise<string[]> {
  const host = hostState(daemon)
  const db = rows(daemon)
  const { dataRoot, execRoot } = daemon
  const running = db.containers.filter(({ pid }) => pid > 0)
  const hierarchies = new Set(host.groups.length === 0 ? ['any'] : host.groups.map((group) => group.split(' ')[0] ?? ''))
  const layers = db.layers.map(({ id }) => id)
  const directories = [...db.containers.map(({ id }) => id), ...layers]
  const found: string[] = [
    ...compare('mount', host.mounts, [
      'data/builds', 'data/overlay2', 'run/engine-shim',
      ...running.map(({ id }) => `data/overlay2/${id}/merged`),
      ...running.filter(({ key }) => key.startsWith(execRoot) && !key.endsWith('/default')).map(({ key }) => key.replace(execRoot, 'run')),
      ...running.filter(({ shared }) => shared).map(({ id }) => `run/containers/${id}/shm`),
    ]),
    ...compare('sandbox', host.sandboxes, running.filter(({ key }) => key.startsWith(execRoot) && !key.endsWith('/default')).map(({ key }) => key.slice(key.lastIndexOf('/') + 1))),
    ...compare('port', host.ports, running.flatMap(({ leases }) => leases.map((lease) => lease.hostInterface))),
    ...compare('bridge', host.bridges, [daemon.bridge, ...db.networks.flatMap(({ bridge }) => (bridge === '' ? [] : [bridge]))]),
    ...compare('published port', host.published, running.flatMap(({ published }) => expectedElements(published))),
    ...compare('held port', host.held, running.flatMap(({ published }) => expectedSockets(published))),
    ...compare('routing of loopback', host.bridges.filter(routesLoopback), host.bridges.filter((bridge) => running.some(({ leases, published }) => leases.some(({ hostInterface, address }) => ports(bridge).includes(hostInterface) && published.some((port) => port.target === address && isOnLoopback(port)))))),
    ...compare('rule', host.rules, running.flatMap(({ leases }) => leases.flatMap(rulesOf))),
    ...compare('cgroup', host.groups, [...hierarchies].flatMap((hierarchy) => running.map(({ id }) => `${hierarchy} ${id}`))),
    ...compare('process', host.processes.map(String), [...running, ...db.execs.filter(({ status }) => status === 'running')].map(({ pid }) => String(pid)).filter((pid) => host.processes.includes(Number(pid)) || !existsSync(`/proc/${pid}`))),
    ...compare('file', host.files.filter((file) => !/^data\/overlay2\/[0-9a-f]{64}-init$/.test(file)), [
      ...directories.map((id) => `data/overlay2/${id}`),
      ...['l', '.making', '.trash'].map((name) => `data/overlay2/${name}`),
      ...db.containers.map(({ id }) => `data/containers/${id}`),
      ...running.map(({ id }) => `run/containers/${id}`),
      ...[...new Set([...db.images, ...db.blobs, ...db.fetched.filter((digest) => host.files.includes(contentFile(digest)))])].map(contentFile),
      ...['.removed', ...['.making', '.renamed'].filter((name) => host.files.includes(`data/volumes/${name}`)), ...db.volumes].map((name) => `data/volumes/${name}`),
    ]),
    ...host.files.filter((file) => file.endsWith('-init') && !layers.includes(file.slice('data/overlay2/'.length, -'-init'.length))).map((file) => `+ file ${file}`),
    ...links(dataRoot, host.files),
    ...db.intents.map((intent) => `+ intent ${intent}`),
    ...(await answers(daemon, db)),
  ]
  return found
}

function contentFile(digest: string): string {
  return `data/content/sha256/${digest.slice('sha256:'.length)}`
}

/** The short links of overlay2/: one for each directory, and it leads there. */
function links(dataRoot: string, files: readonly string[]): string[] {
  const short = names(join(dataRoot, 'overlay2/l'))
  const told = files.filter((file) => /^data\/overlay2\/[0-9a-f]{64}/.test(file)).map((file) => readText(join(dataRoot, file.slice('data/'.length), 'link')).trim())
  return compare('link', short, told)
}

/** What the API says, beside the rows. */
async function answers(daemon: TestDaemon, db: Rows): Promise<string[]> {
  const ask = async <T>(path: string): Promise<T> => {
    const { status, body, text } = await daemon.api('GET', path)
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`)
    return body as T
  }
  const containers = await ask<{ Id: string; State: string }[]>('/containers/json?all=1')
  const images = await ask<{ Id: string }[]>('/images/json?all=1')
  const { Volumes: volumes } = await ask<{ Volumes: { Name: string }[] | null }>('/volumes')
  const networks = await Promise.all((await ask<{ Id: string }[]>('/networks')).map(({ Id }) => ask<{ Id: string; Containers: Record<string, { IPv4Address: string; MacAddress: string }> }>(`/networks/${Id}`)))
  const addresses = networks.flatMap(({ Containers: connected }) => Object.entries(connected).flatMap(([id, { IPv4Address, MacAddress }]) => (MacAddress === '' ? [] : [`${id} ${IPv4Address.split('/')[0] ?? ''}`])))
  return [
    ...compare('container', containers.map(({ Id, State }) => `${Id} ${State}`), db.containers.map(({ id, status }) => `${id} ${status}`)),
    ...compare('network', networks.map(({ Id }) => Id), db.networks.map(({ id }) => id)),
    ...compare('image', images.map(({ Id }) => Id), db.images),
    ...compare('volume', (volumes ?? []).map(({ Name }) => Name), db.volumes),
    ...compare('address', addresses, db.containers.flatMap(({ id, pid, leases }) => (pid > 0 ? leases.map((lease) => `${id} ${lease.address ?? ''}`) : []))),
    ...db.containers.filter(({ status, pid }) => ['removing', 'restarting'].includes(status) || (pid > 0) !== ['running', 'paused'].includes(status)).map(({ id, status, pid }) => `+ container ${id} ${status} with pid ${pid}`),
  ]
}

/** Waits until there are no discrepancies: files are deleted in the background, namespaces end a moment after their processes. @returns what is left after ten seconds */
export async function settledDiscrepancies(daemon: TestDaemon): Promise<string[]> {
  let found: string[] = []
  for (let i = 0; i < 200 * patience; i++) {
    found = await discrepancies(daemon)
    if (found.length === 0) break
    await sleep(50)
  }
  return found
}

function compare(kind: string, actual: readonly string[], expected: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const one of actual) counts.set(one, (counts.get(one) ?? 0) + 1)
  for (const one of expected) counts.set(one, (counts.get(one) ?? 0) - 1)
  return [...counts].filter(([, count]) => count !== 0).map(([one, count]) => `${count > 0 ? '+' : '-'} ${kind} ${one}`)
}

const isId = (name: string): boolean => /^[0-9a-f]{64}$/.test(name)

function names(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return `no ${file}`
  }
}

/** Every mount point of the host, with its escapes resolved (proc_pid_mountinfo(5)). */
export function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
}

/** The elements of the tables' sets that an endpoint has. */
function rulesOf({ hostInterface, mac, address, address6 }: Lease): string[] {
  const one = (value: string): string => `${hostInterface} ${mac} ${value}`
  const six = address6 === undefined ? [] : [address6, linkLocalAddress(mac)]
  return [hostInterface, ...(address === undefined ? [] : [one(address)]), ...six.flatMap((value) => [one(value), one(`0x${parseIpAddress(value).toString('hex')}`)]), ...(address6 === undefined ? [] : [one('::')])]
}

function ports(bridge: string): string[] {
  return names(`/sys/class/net/${bridge}/brif`)
}

interface ListedSet {
  readonly name: string
  readonly elem?: readonly unknown[]
}

function listSets(family: string, table: string): ListedSet[] {
  let listing: string
  try {
    listing = execFileSync('nft', ['-j', 'list', 'table', family, table], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return [{ name: 'none', elem: [`no table ${family} ${table}`] }]
  }
  const { nftables } = JSON.parse(listing) as { nftables: { set?: ListedSet; map?: ListedSet }[] }
  return nftables.flatMap(({ set, map }) => set ?? map ?? [])
}

function shownElement(element: unknown): string {
  if (typeof element === 'string') return element
  // Of a map: key and verdict. Of a set of several fields: those.
  if (Array.isArray(element)) return String(element[0])
  return (element as { readonly concat: readonly unknown[] }).concat.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ')
}

/** What the shim is the parent of, but for the process that keeps descriptors with it. */
export function childrenOfShim(pid: number): number[] {
  const children = names(`/proc/${pid}/task`).flatMap((task) => readText(`/proc/${pid}/task/${task}/children`).trim().split(' ').filter((text) => /^\d+$/.test(text)).map(Number))
  return children.filter((child) => readText(`/proc/${child}/comm`) !== 'engine-keeper\n').sort((a, b) => a - b)
}
