import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openEngine, teardown, type ContainerConfig, type Engine, type EngineEvent, type EngineOptions, type Filters, type HostConfig } from '@engine/engine'
import { busyboxTar } from './images.ts'
import { deadDirectories, makeOwnedDirectory } from './owned-directory.ts'
import { patience } from './patience.ts'
import { testRuntime } from './runtime.ts'

/** An engine of a test's own, from the sources: no daemon, no HTTP. */
export interface TestEngine {
  readonly options: EngineOptions
  /** The engine at this moment; another one after `reopen`. */
  readonly engine: Engine
  /** What it has logged as `error` or `warn`. */
  readonly troubles: string[]
  /** Ends the engine, containers running on, and opens it again on the same data. */
  reopen(): Promise<Engine>
  /** Ends the engine; containers run on. */
  close(): Promise<void>
  /** Makes a container of busybox; without a network unless told otherwise. @returns its id */
  create(command: readonly string[], host?: HostConfig, config?: ContainerConfig, name?: string): Promise<string>
  /** Makes and starts one. @returns its id */
  start(command: readonly string[], host?: HostConfig, config?: ContainerConfig): Promise<string>
  /** Runs a command to its end, and removes the container. */
  run(command: readonly string[], host?: HostConfig, config?: ContainerConfig): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
  /** Events so far, of a container if one is named: `type action`. */
  events(container?: string): Promise<string[]>
  /** What of a container is on the host: mounts, cgroups, namespaces, directories. */
  traces(id: string): string[]
}

export const noFilters: Filters = new Map()
export const removal = { force: true, volumes: true, link: false } as const

const prefix = 'engine-core-'

/** What is an engine's own by name, from its directory's. */
function optionsFor(directory: string): EngineOptions {
  const tag = directory.slice(-6).toLowerCase()
  const number = Number.parseInt(Buffer.from(tag).toString('hex').slice(-6), 16)
  return {
    dataRoot: join(directory, 'data'),
    execRoot: join(directory, 'run'),
    bridge: `ec${tag}`,
    // Two engines that start at once would both find the same pool free.
    bip: `10.${120 + (number % 60)}.${(number >> 6) % 250}.1/24`,
    addressPools: [],
    mtu: 1500,
    interContainer: true,
    masquerade: true,
    nftablesTable: `engine_core_${tag}`,
    cgroupParent: `/engine-core-${tag}`,
    dns: [],
    dnsSearch: [],
    dnsOptions: [],
    defaultShmSize: 64 << 20,
    defaultUlimits: [],
    defaultRuntime: testRuntime,
    labels: [],
    shutdownTimeout: 5,
    shimProgram: new URL('../../packages/runtime/src/shim/main.ts', import.meta.url).pathname,
    nodeBinary: process.execPath,
    shimManaged: false,
    debug: false,
    log: () => undefined,
  }
}

async function clear(directory: string): Promise<void> {
  await teardown(optionsFor(directory))
  rmSync(directory, { recursive: true, force: true })
}

/** Clears what test runs have left that ended without clearing. */
async function clearDeadRuns(): Promise<void> {
  // Another test file may be at clearing the same: what it leaves the next run finds.
  for (const directory of deadDirectories(prefix)) await clear(directory).catch(() => undefined)
}

/** Opens an engine with everything on the host its own; all of it goes at the test's end. */
export async function openTestEngine(t: { after(work: () => Promise<void>): void }, change: Partial<EngineOptions> = {}): Promise<TestEngine> {
  await clearDeadRuns()
  const directory = makeOwnedDirectory(prefix)
  const troubles: string[] = []
  const options: EngineOptions = {
    ...optionsFor(directory),
    log: (level, fields, message) => {
      if (level === 'error' || level === 'warn') troubles.push(`${level} ${message} ${JSON.stringify(fields)}`)
    },
    ...change,
  }
  let engine: Engine | undefined
  t.after(async () => {
    try {
      await engine?.close({ stopContainers: true })
    } finally {
      await clear(directory)
    }
  })
  const open = async (): Promise<Engine> => {
    engine = await openEngine(options)
    return engine
  }
  const close = async (): Promise<void> => {
    await engine?.close({ stopContainers: false })
    engine = undefined
  }
  const current = (): Engine => {
    if (engine === undefined) throw new Error('the engine is closed')
    return engine
  }
  await open()
  for await (const _ of current().images.import(Readable.from([busyboxTar()]), { repository: 'busybox', tag: 'latest', message: '', changes: ['CMD ["sh"]'] }, new AbortController().signal));

  const create: TestEngine['create'] = async (command, host = {}, config = {}, name) => {
    const request = { config: { Image: 'busybox', Cmd: command, ...config }, hostConfig: { NetworkMode: 'none', ...host }, endpoints: {}, ...(name === undefined ? {} : { name }) }
    return (await current().containers.create(request)).Id
  }
  return {
    options,
    get engine() {
      return current()
    },
    troubles,
    close,
    async reopen() {
      await close()
      return open()
    },
    create,
    async start(command, host, config) {
      const id = await create(command, host, config)
      await current().containers.start(id)
      return id
    },
    async run(command, host, config) {
      const id = await create(command, host, config)
      const { containers } = current()
      try {
        const { output } = await containers.attach(id, { stdin: false, stdout: true, stderr: true, stream: true, logs: false })
        const { result } = await containers.wait(id, 'next-exit', new AbortController().signal)
        await containers.start(id)
        const said = { stdout: '', stderr: '' }
        for await (const { stream, data } of output) said[stream] += data.toString()
        return { code: (await result).StatusCode, ...said }
      } finally {
        await containers.remove(id, removal)
      }
    },
    async events(container) {
      const seen: string[] = []
      const past = { since: 1n, until: BigInt(Date.now() + 1) * 1_000_000n, filters: noFilters }
      for await (const event of current().system.events(past, new AbortController().signal)) if (container === undefined || isAbout(event, container)) seen.push(`${event.Type} ${event.Action}`)
      return seen
    },
    traces: (id) => traces(options, id),
  }
}

function isAbout({ Actor }: EngineEvent, container: string): boolean {
  return Actor.ID === container || Actor.Attributes['container'] === container
}

function traces(options: EngineOptions, id: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.includes(id))
  const groups = readdirSync('/sys/fs/cgroup').map((hierarchy) => join('/sys/fs/cgroup', hierarchy, options.cgroupParent, id)).filter(isDirectory)
  const directories = [join(options.dataRoot, 'containers', id), join(options.dataRoot, 'overlay2', id), join(options.execRoot, 'containers', id)].filter(isDirectory)
  return [...mounts, ...groups, ...directories]
}

function isDirectory(path: string): boolean {
  try {
    readdirSync(path)
    return true
  } catch {
    return false
  }
}

/** Waits until something is so. @throws Error after twenty seconds, times patience */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000 * patience; i++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`still not so: ${what}`)
}
