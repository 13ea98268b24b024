import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { NewImage, StepContainer, StepFile, StepSettings } from '@engine/build'
import type { Layer, RunConfig } from '@engine/image'
import { EngineError } from '@engine/linux'
import { openRoot } from '@engine/linux/paths'
import type { BuildOptions, CreateContainer } from '../interface.ts'
import type { HostConfig } from '../types/container-config.ts'
import { isRemapped } from '../userns/container-ids.ts'
import type { BuildEngine, StoredImage } from './build-engine.ts'
import { prepareStepMounts } from './mounts/step-mounts.ts'
import { missingMountPoints, removeMountPoints } from './mounts/stubs.ts'
import { layerOf } from './step-layer.ts'

/** Where a RUN step's container is made and what may be done with it. */
export interface StepContainerOptions {
  readonly engine: BuildEngine
  readonly options: BuildOptions
  /** A directory of the build's own, for files that the container sees. */
  readonly directory: string
  readonly commit: (image: NewImage, layer: Layer | undefined) => Promise<string>
  /** Ends the build: nothing is waited for any more. */
  readonly signal: AbortSignal
}

/** Makes the container of a RUN step: an ordinary one, which `docker ps` shows while it runs. It keeps no log. */
export async function createStepContainer(
  { engine, options, directory, commit, signal }: StepContainerOptions,
  parent: StoredImage,
  config: RunConfig,
  settings: StepSettings,
): Promise<StepContainer> {
  await using undo = new AsyncDisposableStack()
  const binds = await bindFiles(directory, settings.files)
  const id = randomBytes(32).toString('hex')
  const mounts = undo.use(await prepareStepMounts(engine, join(directory, `mounts-${id.slice(0, 12)}`), settings.mounts, signal))
  const intent = engine.intents.begin('build step', id)
  const host = hostConfig(options, settings, [...binds.map(({ source, target }) => ({ Type: 'bind' as const, Source: source, Target: target, ReadOnly: true })), ...mounts.mounts])
  const request: CreateContainer = { id, config: { ...config, Image: parent.id }, hostConfig: host, endpoints: {}, buildStep: { secretEnvironment: settings.secretEnvironment } }
  const warnings = await create(engine, request, intent)
  undo.defer(async () => {
    await engine.containers.remove(id, { force: true, volumes: true, link: false })
    engine.intents.end(intent)
  })
  // Mounted before the start does it, and volatile: its unmounting then waits for no disk, which the layer's making does.
  const merged = await engine.overlay.mount(id, { volatile: true, mapped: isRemapped(engine, { UsernsMode: host.UsernsMode ?? '' }) })
  const stubs = withRoot(merged, (fd) => missingMountPoints(fd, mounts.mounts.map(({ Target }) => Target ?? '')))
  const made = undo.move()
  return {
    id,
    warnings,
    execute: (output, ended) => execute(engine, id, output, ended),
    async commit(image, last) {
      if (stubs.length > 0) {
        // They are in no layer below, so it is enough to take them out of what the container has written.
        await engine.overlay.unmount(id)
        withRoot(engine.overlay.layout(id).diff, (fd) => removeMountPoints(fd, stubs))
      }
      return commit(image, await layerOf(engine.overlay, id, parent, !last, options.epoch))
    },
    async remove() {
      await made.disposeAsync()
      await Promise.all(binds.map((bind) => rm(bind.source, { recursive: true, force: true })))
    },
    async keep() {
      await mounts[Symbol.asyncDispose]()
      engine.intents.end(intent)
    },
  }
}

function withRoot<T>(directory: string, work: (fd: number) => T): T {
  using root = openRoot(directory)
  return work(root.fd)
}

async function create({ containers, intents }: BuildEngine, request: CreateContainer, intent: number): Promise<readonly string[]> {
  try {
    return (await containers.create(request)).Warnings
  } catch (error) {
    intents.end(intent)
    throw error
  }
}

type Output = Parameters<StepContainer['execute']>[0]

/** Starts a container, passes on what it writes, and waits for its end. */
async function execute({ containers }: BuildEngine, id: string, output: Output, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  const attachment = await containers.attach(id, { stdin: false, stdout: true, stderr: true, stream: true, logs: false })
  const kill = (): void => {
    // It may have ended by itself in this moment.
    containers.kill(id, 'KILL').catch(() => undefined)
  }
  signal.addEventListener('abort', kill, { once: true })
  const waiting = new AbortController()
  try {
    const { result } = await containers.wait(id, 'next-exit', waiting.signal)
    // Should the start fail, nobody waits for this any more.
    result.catch(() => undefined)
    await containers.start(id)
    if (signal.aborted) kill()
    for await (const { stream, data } of attachment.output) await output(stream, data)
    const { StatusCode, Error: failure } = await result
    if (failure?.Message) throw new EngineError('internal', failure.Message)
    return StatusCode
  } finally {
    signal.removeEventListener('abort', kill)
    waiting.abort()
    attachment.detach()
  }
}

interface Bind {
  /** Directory on the host that holds the files. */
  readonly source: string
  readonly target: string
}

/** Puts files into a directory each, by where they go: a directory is bound, so that nothing of it stays in the container's layer. */
async function bindFiles(directory: string, files: readonly StepFile[]): Promise<Bind[]> {
  const targets = [...new Set(files.map((file) => dirname(file.path)))]
  const binds: Bind[] = []
  for (const target of targets) {
    const source = await mkdtemp(join(directory, 'files-'))
    // The step's user may be any.
    await chmod(source, 0o755)
    binds.push({ source, target })
  }
  for (const file of files) {
    const bind = binds.find(({ target }) => target === dirname(file.path)) as Bind
    await writeFile(join(bind.source, basename(file.path)), file.data, { mode: file.mode, flag: 'wx' })
  }
  return binds
}

function hostConfig(options: BuildOptions, settings: StepSettings, mounts: NonNullable<HostConfig['Mounts']>): HostConfig {
  const networkMode = (settings.network === 'default' ? '' : settings.network) || options.networkMode || 'default'
  return {
    NetworkMode: networkMode,
    Privileged: settings.insecure,
    // Who has let a build be insecure, or be in the host's network, has let it have the host's ids, which these two take.
    UsernsMode: settings.insecure || networkMode === 'host' ? 'host' : '',
    ExtraHosts: options.extraHosts.length > 0 ? options.extraHosts : null,
    // Its output goes to the build's.
    LogConfig: { Type: 'none', Config: {} },
    Mounts: mounts,
    Memory: options.memory,
    MemorySwap: options.memorySwap,
    CpuShares: options.cpuShares,
    CpuPeriod: options.cpuPeriod,
    CpuQuota: options.cpuQuota,
    CpusetCpus: options.cpusetCpus,
    CpusetMems: options.cpusetMems,
    CgroupParent: options.cgroupParent,
    Ulimits: options.ulimits ?? null,
    ShmSize: options.shmSize,
  }
}
