import { PassThrough, type Readable } from 'node:stream'
import { EngineError } from '@engine/linux'
import type { Attachment, ContainerInspect, Engine, ImageInspect, LogOptions, OutputChunk, OutputFraming, SystemInfo, SystemVersion } from '@engine/engine'

/** What the fake was asked to do, newest last: `containers.stop` with its arguments. */
export interface Asked {
  readonly verb: string
  readonly args: readonly unknown[]
}

export interface FakeEngine {
  readonly engine: Engine
  readonly asked: Asked[]
  /** Causes that causedBy was given. */
  readonly causes: { readonly request: string; readonly id: string }[]
  /** Set in a test to decide what a verb does; everything else answers something plain. */
  readonly verbs: Record<string, (...args: never[]) => unknown>
  /** Attachments made by attach and exec start, newest last. */
  readonly attachments: FakeAttachment[]
}

export interface FakeAttachment extends Attachment {
  readonly received: Buffer[]
  detached: boolean
  stdinEnded: boolean
}

/** An Engine that does nothing but remember: tests of routes stand on it. Container and exec `x` exist (and what create answers), no other does. */
export function fakeEngine(): FakeEngine {
  const asked: Asked[] = []
  const causes: { readonly request: string; readonly id: string }[] = []
  const verbs: FakeEngine['verbs'] = {}
  const attachments: FakeAttachment[] = []
  const defaults = defaultVerbs(attachments)

  const part = (name: string): object =>
    new Proxy({}, {
      get: (_target, property) => (...args: never[]) => {
        const verb = `${name}.${String(property)}`
        asked.push({ verb, args })
        const answer = verbs[verb] ?? defaults[verb]
        if (answer === undefined) throw new Error(`the fake engine has no ${verb}`)
        return answer(...args)
      },
    })
  const engine = {
    containers: part('containers'),
    execs: part('execs'),
    images: part('images'),
    networks: part('networks'),
    volumes: part('volumes'),
    system: part('system'),
    causedBy: <T>(cause: { readonly request: string; readonly id: string }, work: () => Promise<T>): Promise<T> => {
      causes.push(cause)
      return work()
    },
    close: async (options: { readonly stopContainers: boolean }) => void asked.push({ verb: 'close', args: [options] }),
  } as unknown as Engine
  return { engine, asked, causes, verbs, attachments }
}

function mustExist(ref: string): void {
  if (ref !== 'x' && ref !== 'c'.repeat(64)) throw new EngineError('not-found', `No such container: ${ref}`)
}

function defaultVerbs(attachments: FakeAttachment[]): FakeEngine['verbs'] {
  const done = async (ref: string): Promise<void> => mustExist(ref)
  return {
    'containers.list': async () => [],
    'containers.create': async () => ({ Id: 'c'.repeat(64), Warnings: [] }),
    'containers.inspect': async (ref: string) => {
      mustExist(ref)
      return container()
    },
    'containers.start': done,
    'containers.stop': done,
    'containers.restart': done,
    'containers.kill': done,
    'containers.pause': done,
    'containers.unpause': done,
    'containers.rename': done,
    'containers.remove': done,
    'containers.resize': done,
    'containers.top': async () => ({ Titles: ['PID'], Processes: [['1']] }),
    'containers.prune': async () => ({ ContainersDeleted: [], SpaceReclaimed: 0 }),
    'containers.explain': async () => [],
    'containers.wait': async (ref: string) => {
      mustExist(ref)
      return { result: Promise.resolve({ StatusCode: 0 }) }
    },
    'containers.logs': async (ref: string, _options: LogOptions, framing: OutputFraming) => {
      mustExist(ref)
      return { tty: false, batches: batch([{ stream: 'stdout', data: Buffer.from('out\n') }, { stream: 'stderr', data: Buffer.from('err\n') }], framing) }
    },
    'containers.attach': async (ref: string, options: { readonly stdin: boolean }) => {
      mustExist(ref)
      const attachment = echo(false, options.stdin)
      attachments.push(attachment)
      return attachment
    },
    'execs.create': async (ref: string) => {
      mustExist(ref)
      return { Id: 'e'.repeat(64) }
    },
    'execs.start': async (id: string, options: { readonly detach: boolean; readonly tty: boolean }) => {
      if (id !== 'x' && id !== 'e'.repeat(64)) throw new EngineError('not-found', `No such exec instance: ${id}`)
      if (options.detach) return undefined
      const attachment = echo(options.tty, true)
      attachments.push(attachment)
      return attachment
    },
    'execs.inspect': async (id: string) => ({ ID: id, Running: false, ExitCode: 0, Pid: 7 }),
    'execs.resize': async () => undefined,
    'images.list': async () => [{ Id: 'sha256:1', ParentId: '', RepoTags: [], RepoDigests: [], Created: 1, Size: 5, SharedSize: -1, Labels: null, Containers: 2 }],
    'images.inspect': async (ref: string) => ({ ...image(), RepoTags: [ref] }),
    'images.history': async () => [],
    'images.tag': async () => undefined,
    'images.remove': async (ref: string) => [{ Untagged: ref }],
    'images.prune': async () => ({ ImagesDeleted: [], SpaceReclaimed: 0 }),
    'images.pull': () => failing(new EngineError('not-implemented', 'no registries')),
    'images.push': () => failing(new EngineError('not-found', 'no such image')),
    'images.import': async function* (tar: Readable) {
      let length = 0
      for await (const chunk of tar as AsyncIterable<Buffer>) length += chunk.length
      yield { status: String(length) }
    },
    'images.build': async function* (context: Readable) {
      for await (const chunk of context as AsyncIterable<Buffer>) yield { stream: String(chunk.length) }
    },
    'images.commit': async () => ({ Id: 'sha256:1' }),
    'networks.list': async () => [],
    'networks.inspect': async (ref: string) => {
      throw new EngineError('not-found', `network ${ref} not found`)
    },
    'volumes.list': async () => ({ Volumes: [], Warnings: null }),
    'volumes.inspect': async (name: string) => {
      throw new EngineError('not-found', `get ${name}: no such volume`)
    },
    'volumes.create': async (options: { readonly Name: string }) => ({ ...options, Mountpoint: '/v', CreatedAt: '', Scope: 'local', Options: null }),
    'volumes.remove': async () => undefined,
    'system.version': async () => version,
    'system.info': async () => info,
    'system.events': () => chunks([]),
  }
}

/** A stream that fails before its first element. */
export async function* failing(error: Error): AsyncIterable<never> {
  yield* []
  throw error
}

/** Output of a process that has ended. */
async function* batch(list: readonly OutputChunk[], framing: OutputFraming): AsyncIterable<Buffer> {
  yield Buffer.concat(list.flatMap(({ stream, data }) => {
    const header = Buffer.alloc(framing.headerBytes)
    framing.writeHeader(header, 0, stream, data.length)
    return [header, data]
  }))
}

export async function* chunks(list: readonly OutputChunk[]): AsyncIterable<OutputChunk> {
  yield* list
}

/** A process that is `cat`: what goes in comes out, until its input ends. Without input it says `hello` and ends. */
export function echo(tty: boolean, withStdin: boolean): FakeAttachment {
  const through = new PassThrough()
  const received: Buffer[] = []
  if (!withStdin) through.end('hello')
  else through.on('data', (chunk: Buffer) => received.push(chunk)).pause()
  const attachment: FakeAttachment = {
    tty,
    received,
    detached: false,
    stdinEnded: false,
    output: (async function* () {
      for await (const data of through as AsyncIterable<Buffer>) yield { stream: 'stdout' as const, data }
    })(),
    ...(withStdin ? { stdin: through } : {}),
    detach() {
      attachment.detached = true
      through.destroy()
    },
  }
  through.on('finish', () => {
    attachment.stdinEnded = true
  })
  return attachment
}

const endpoint = {
  IPAMConfig: null, Links: null, Aliases: null, MacAddress: '', DriverOpts: null, GwPriority: 0, NetworkID: '', EndpointID: '', Gateway: '',
  IPAddress: '', IPPrefixLen: 0, IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, DNSNames: null,
}

function container(): ContainerInspect {
  return {
    Id: 'c'.repeat(64),
    Name: '/x',
    HostConfig: { NetworkMode: 'bridge' },
    Config: { Tty: false, OpenStdin: true },
    State: { Running: true, Status: 'running', Paused: false, Restarting: false },
    NetworkSettings: { Networks: { bridge: endpoint, mine: endpoint } },
  } as unknown as ContainerInspect
}

function image(): ImageInspect {
  return { Id: 'sha256:1', RepoTags: [], Size: 5, Config: { Cmd: ['sh'] } } as unknown as ImageInspect
}

const version: SystemVersion = {
  Platform: { Name: 'engine' },
  Components: [{ Name: 'Engine', Version: '0.1.0', Details: { ApiVersion: '1.51' } }],
  Version: '0.1.0',
  ApiVersion: '1.51',
  MinAPIVersion: '1.24',
  GitCommit: '',
  GoVersion: '',
  Os: 'linux',
  Arch: 'amd64',
  KernelVersion: '6.18',
}

const info = {
  ID: 'fake', Containers: 0, ContainersRunning: 0, ContainersPaused: 0, ContainersStopped: 0, Images: 0, Driver: 'overlay2', DriverStatus: [],
  Plugins: { Volume: ['local'], Network: ['bridge'], Authorization: null, Log: ['json-file'] }, NCPU: 2, MemTotal: 1, OSType: 'linux',
  OperatingSystem: 'fake', Swarm: { LocalNodeState: 'inactive' }, RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: [], Mirrors: null },
  Runtimes: {}, SecurityOptions: [], ContainerdCommit: { ID: 'a' }, RuncCommit: { ID: 'b' }, InitCommit: { ID: 'c' }, FirewallBackend: { Driver: 'nftables' },
  CDISpecDirs: [], Warnings: null, Labels: [], ServerVersion: '0.1.0', CgroupVersion: '2',
} as unknown as SystemInfo
