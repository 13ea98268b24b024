import { FRAME_HEADER, isAtLeast, MULTIPLEXED_STREAM, RAW_STREAM, RequestError, writeFrameHeader } from '@engine/api'
import type { OutputFraming } from '@engine/engine'
import { serveAttachment } from '../attachment.ts'
import { SENT, type Call, type Handlers } from '../call.ts'
import { createForVersion } from './create-for-version.ts'
import { stats } from './stats.ts'
import { checkHandshake, serveWebSocket } from '../websocket/attach.ts'
import { updateForVersion } from './update-for-version.ts'

type Conditions = 'not-running' | 'next-exit' | 'removed'

/** Serves /containers but for exec. */
export const containers: Handlers<
  | 'ContainerList' | 'ContainerCreate' | 'ContainerInspect' | 'ContainerTop' | 'ContainerLogs' | 'ContainerResize' | 'ContainerStart'
  | 'ContainerStop' | 'ContainerRestart' | 'ContainerKill' | 'ContainerRename' | 'ContainerPause' | 'ContainerUnpause' | 'ContainerAttach' | 'ContainerAttachWebsocket'
  | 'ContainerUpdate' | 'ContainerStats' | 'ContainerWait' | 'ContainerDelete' | 'ContainerPrune' | 'ContainerExplain'
> = {
  async ContainerList({ engine, query }) {
    // A limit of 0 or less is none.
    const limit = query.limit !== undefined && query.limit > 0 ? query.limit : undefined
    return engine.containers.list({ all: query.all || limit !== undefined, limit, size: query.size, filters: query.filters })
  },

  ContainerCreate: create,

  ContainerInspect: ({ engine, name, query, version }) =>
    engine.containers.inspect(name, { size: query.size }).then((view) => (isAtLeast(version, '1.45') ? view : withShortIdAlias(view))),

  ContainerUpdate: ({ engine, name, body = {}, version }) => engine.containers.update(name, updateForVersion(version, body)),
  ContainerStats: stats,

  ContainerTop: ({ engine, name, query }) => engine.containers.top(name, query.ps_args),

  ContainerLogs: logs,

  async ContainerResize({ engine, name, query }) {
    await engine.containers.resize(name, query.h, query.w)
  },

  async ContainerStart({ engine, name, query, request }) {
    // Bodies of a few bytes ('{}', 'null') are what some clients send out of habit.
    if (Number(request.headers['content-length'] ?? 0) > 7 || (request.headers['transfer-encoding'] ?? '') !== '') {
      throw new RequestError('starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24')
    }
    if (query.checkpoint !== undefined) throw new RequestError('checkpoint not supported')
    await engine.containers.start(name)
  },

  async ContainerStop({ engine, name, query, version }) {
    await engine.containers.stop(name, { timeout: query.t, signal: isAtLeast(version, '1.42') ? query.signal : undefined })
  },

  async ContainerRestart({ engine, name, query, version }) {
    await engine.containers.restart(name, { timeout: query.t, signal: isAtLeast(version, '1.42') ? query.signal : undefined })
  },

  async ContainerKill({ engine, name, query }) {
    await engine.containers.kill(name, query.signal)
  },

  async ContainerRename({ engine, name, query }) {
    if (query.name === '') throw new RequestError('Neither old nor new names may be empty')
    await engine.containers.rename(name, query.name)
  },

  ContainerPause: ({ engine, name }) => engine.containers.pause(name),
  ContainerUnpause: ({ engine, name }) => engine.containers.unpause(name),
  ContainerWait: wait,

  async ContainerDelete({ engine, name, query }) {
    await engine.containers.remove(name, { force: query.force, volumes: query.v, link: query.link })
  },

  ContainerPrune: ({ engine, query }) => engine.containers.prune(query.filters),
  ContainerExplain: ({ engine, name }) => engine.containers.explain(name),

  async ContainerAttach(call) {
    await serveAttachment(call, await call.engine.containers.attach(call.name, call.query))
    return SENT
  },

  async ContainerAttachWebsocket(call) {
    const key = checkHandshake(call.request)
    await serveWebSocket(call, key, await call.engine.containers.attach(call.name, call.query))
    return SENT
  },
}

async function create({ engine, query, body, version }: Call<'ContainerCreate'>): Promise<unknown> {
  const { HostConfig, NetworkingConfig, ...config } = body
  if (Object.keys(config).length === 0) throw new RequestError('config cannot be empty in order to create a container')
  const { warnings, ...wanted } = createForVersion(version, {
    config,
    hostConfig: HostConfig ?? {},
    endpoints: NetworkingConfig?.EndpointsConfig ?? {},
    platform: query.platform,
  })
  const { Id, Warnings } = await engine.containers.create({ name: query.name, ...wanted })
  return { Id, Warnings: [...Warnings, ...warnings] }
}

/** Before 1.45 a container's short id was among its aliases on networks that have names; later it is in DNSNames. */
function withShortIdAlias<T extends { readonly Id: string; readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly Aliases: readonly string[] | null }>> } }>(view: T): T {
  const shortId = view.Id.slice(0, 12)
  const networks = Object.entries(view.NetworkSettings.Networks).map(([name, endpoint]) => {
    if (['bridge', 'host', 'none'].includes(name)) return [name, endpoint] as const
    return [name, { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), shortId])] }] as const
  })
  return { ...view, NetworkSettings: { ...view.NetworkSettings, Networks: Object.fromEntries(networks) } }
}

const framing: OutputFraming = { headerBytes: FRAME_HEADER, writeHeader: writeFrameHeader }

async function logs(call: Call<'ContainerLogs'>): Promise<unknown> {
  const { engine, name, query, version, signal } = call
  if (!query.stdout && !query.stderr) throw new RequestError('Bad parameters: you must choose at least one stream')
  const { tty, batches } = await engine.containers.logs(name, { ...query, until: isAtLeast(version, '1.35') ? query.until : undefined }, framing, signal)
  const stream = call.stream({ 'Content-Type': !tty && isAtLeast(version, '1.42') ? MULTIPLEXED_STREAM : RAW_STREAM })
  // One batch is on its way while the next is read into memory of its own; the one after that takes the first one's.
  let sent: Promise<void> | undefined
  for await (const batch of batches) {
    await sent
    sent = stream.writeAway(batch)
    // Met where it is waited for.
    sent.catch(() => undefined)
  }
  await sent
  stream.end()
  return SENT
}

async function wait(call: Call<'ContainerWait'>): Promise<unknown> {
  const { engine, name, query, version, signal } = call
  // Before 1.30 there were no conditions, and the headers came with the body.
  const old = !isAtLeast(version, '1.30')
  const condition = old || query.condition === '' ? 'not-running' : query.condition
  if (!isCondition(condition)) throw new RequestError(`invalid condition: ${JSON.stringify(condition)}`)
  const { result } = await engine.containers.wait(name, condition, signal)
  if (old) return { StatusCode: (await result).StatusCode }
  const stream = call.stream({ 'Content-Type': 'application/json' })
  const { StatusCode, Error: failure } = await result
  await stream.write(`${JSON.stringify(failure !== undefined && isAtLeast(version, '1.34') ? { StatusCode, Error: failure } : { StatusCode })}\n`)
  stream.end()
  return SENT
}

function isCondition(text: string): text is Conditions {
  return text === 'not-running' || text === 'next-exit' || text === 'removed'
}
