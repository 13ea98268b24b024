import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { HostConfigView } from '../types/container-config.ts'
import type { Container } from './container.ts'
import type { ContainerRegistry } from './registry.ts'
import { readShared, rewriteShared } from './shared-file.ts'
import { isRunning } from './state.ts'

/** A name that a container on the default bridge has for another one there (`--link`). */
export interface Link {
  readonly target: Container
  readonly alias: string
}

/**
 * Checks the links of a new container, and names their targets by id, whatever those will be called: `<id>:alias`.
 * @throws EngineError invalid-argument in Docker's words
 */
export function resolveLinks(containers: ContainerRegistry, host: HostConfigView): void {
  if (host.Links === null || host.Links.length === 0) return
  host.Links = host.Links.map((link) => {
    const parts = link.split(':')
    const [name = '', alias = name.replace(/^\//, '')] = parts
    if (link === '') throw new EngineError('invalid-argument', 'empty string specified for links')
    if (parts.length > 2 || alias === '') throw new EngineError('invalid-argument', `bad format for links: ${link}`)
    let target: Container
    try {
      target = containers.find(name)
    } catch (cause) {
      throw new EngineError('invalid-argument', `could not get container for ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
    if (target.record.hostConfig.NetworkMode === 'host') {
      throw new EngineError('invalid-argument', "conflicting options: host type networking can't be used with links. This would result in undefined behavior")
    }
    return `${target.id}:${alias.slice(alias.lastIndexOf('/') + 1)}`
  })
}

/** `HostConfig.Links` as clients see it, without those whose target is gone. */
export function shownLinks(containers: ContainerRegistry, container: Container): readonly string[] | null {
  const { Links } = container.record.hostConfig
  return Links === null ? null : linksOf(containers, container).map(({ target, alias }) => `/${target.name}:/${container.name}/${alias}`)
}

/** The names that others have for a container: `/web/db`. */
export function linkNames(containers: ContainerRegistry, container: Container): string[] {
  return linkers(containers, container).flatMap(({ linker, alias }) => `/${linker.name}/${alias}`)
}

/** What a link means in /etc/hosts: the alias, the target's hostname, and its name. @throws EngineError when a target does not run */
export function linkedHosts(engine: EngineContext, container: Container): { readonly address: string; readonly names: string }[] {
  return linksOf(engine.containers, container).map((link) => ({ address: addressOf(engine, container, link), names: hostNames(link) }))
}

/** What links mean in the environment of the container: the targets' ports, names and variables. @throws EngineError when a target does not run */
export function linkEnvironment(engine: EngineContext, container: Container): string[] {
  return linksOf(engine.containers, container).flatMap((link) => variablesOf(container, link, addressOf(engine, container, link)))
}

/** The same for one more process in it, without those whose target has gone. */
export function presentLinkEnvironment(engine: EngineContext, container: Container): string[] {
  return linksOf(engine.containers, container).flatMap((link) => {
    const address = isRunning(link.target.state) ? bridgeAddress(engine, link.target) : undefined
    return address === undefined ? [] : variablesOf(container, link, address)
  })
}

function variablesOf(container: Container, { alias, target }: Link, address: string): string[] {
  const prefix = alias.replaceAll('-', '_').toUpperCase()
  const ports = exposed(target)
  const first = ports[0]
  const key = ({ port, protocol }: ExposedPort): string => `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
  const url = ({ port, protocol }: ExposedPort): string => `${protocol}://${address}:${port}`
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
    ...portRanges(ports).flatMap(([from, to]) => [`${key(from)}_START=${url(from)}`, `${key(from)}_PORT_START=${from.port}`, `${key(from)}_END=${url(to)}`, `${key(from)}_PORT_END=${to.port}`]),
    ...ports.flatMap((one) => [`${key(one)}=${url(one)}`, `${key(one)}_ADDR=${address}`, `${key(one)}_PORT=${one.port}`, `${key(one)}_PROTO=${one.protocol}`]),
    `${prefix}_NAME=/${container.name}/${alias}`,
    ...(target.record.config.Env ?? []).filter((variable) => variable.includes('=') && !/^(HOME|PATH)=/.test(variable)).map((variable) => `${prefix}_ENV_${variable}`),
  ]
}

/** Exposed ports that follow each other, two or more, by their first and last (moby daemon/links, nextContiguous). */
function portRanges(ports: readonly ExposedPort[]): (readonly [first: ExposedPort, last: ExposedPort])[] {
  const ranges: [ExposedPort, ExposedPort][] = []
  for (const one of ports) {
    const range = ranges.at(-1)
    if (range !== undefined && range[1].protocol === one.protocol && range[1].port + 1 === one.port) range[1] = one
    else ranges.push([one, one])
  }
  return ranges.filter(([from, to]) => from !== to)
}

/** A container that others link to has started, perhaps at another address: their hosts files follow. */
export function updateLinkers(engine: EngineContext, container: Container): void {
  for (const { linker, alias } of linkers(engine.containers, container)) {
    if (!isRunning(linker.state)) continue
    const names = hostNames({ target: container, alias })
    const { hosts } = engine.paths.container(linker.id)
    const before = readShared(hosts)
    if (before === undefined) continue
    const address = bridgeAddress(engine, container)
    const after = before.split('\n').map((line) => (address !== undefined && line.split('\t')[1] === names ? `${address}\t${names}` : line)).join('\n')
    if (after !== before) rewriteShared(hosts, after)
  }
}

/**
 * Removes a link and no container: `web/db`.
 * @throws EngineError in Docker's words
 */
export function removeLink(engine: EngineContext, ref: string): void {
  const slash = ref.lastIndexOf('/')
  const [owner, alias] = [ref.slice(0, slash).replace(/^\//, ''), ref.slice(slash + 1)]
  if (slash <= 0) throw new EngineError('invalid-argument', 'Conflict, cannot remove the default link name of the container')
  const container = engine.containers.find(owner)
  const links = container.record.hostConfig.Links ?? []
  const left = links.filter((link) => !link.endsWith(`:${alias}`))
  if (left.length === links.length) throw new EngineError('not-found', `No such link: ${ref}`)
  engine.containers.saveHostConfig(container, { ...container.record.hostConfig, Links: left })
}

/** Links of a container on the default bridge; on networks of users' own they are names that its nameserver knows. */
export function linksOf(containers: ContainerRegistry, { record }: Container): Link[] {
  if (record.hostConfig.NetworkMode !== 'bridge') return []
  return (record.hostConfig.Links ?? []).flatMap((link) => {
    const [id = '', alias = ''] = link.split(':')
    const target = containers.get(id)
    return target === undefined ? [] : [{ target, alias }]
  })
}

function linkers(containers: ContainerRegistry, container: Container): { readonly linker: Container; readonly alias: string }[] {
  return containers.all().flatMap((linker) => (linker.record.hostConfig.Links ?? []).filter((link) => link.startsWith(`${container.id}:`)).map((link) => ({ linker, alias: link.slice(container.id.length + 1) })))
}

function addressOf(engine: EngineContext, container: Container, { target, alias }: Link): string {
  if (!isRunning(target.state)) throw new EngineError('internal', `Cannot link to a non running container: /${target.name} AS /${container.name}/${alias}`)
  const address = bridgeAddress(engine, target)
  if (address === undefined) throw new EngineError('internal', `container ${target.id} not attached to default bridge network`)
  return address
}

function bridgeAddress(engine: EngineContext, container: Container): string | undefined {
  const { id } = engine.networks.find('bridge')
  return container.sandbox.endpoints.find(({ networkId }) => networkId === id)?.lease?.address
}

function hostNames({ target, alias }: Link): string {
  const { Hostname: hostname } = target.record.config
  return [alias, ...(hostname === '' ? [] : [hostname]), ...(alias === target.name ? [] : [target.name])].join(' ')
}

interface ExposedPort {
  readonly port: number
  readonly protocol: string
}

/** TCP before UDP, lower ports first, as Docker sorts them. */
export function exposed({ record }: Container): ExposedPort[] {
  return Object.keys(record.config.ExposedPorts ?? {})
    .map((text) => {
      const [port = '', protocol = 'tcp'] = text.split('/')
      return { port: Number(port), protocol }
    })
    .sort((a, b) => (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : a.port - b.port))
}
