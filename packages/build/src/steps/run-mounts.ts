import { EngineError, Errno, failedWith } from '@engine/linux'
import { openInRoot, O_PATH, type Descriptor } from '@engine/linux/paths'
import type { KeyFile } from '../cache.ts'
import { digestSource } from '../context/tree-digest.ts'
import { parseRunMount, type RunMount } from '../dockerfile/run-mount.ts'
import type { StepMount } from '../executor.ts'
import { cleanPath, joinPath } from '../filepath.ts'
import { expand, type FromRoot, type Step } from './step.ts'

/** Where BuildKit puts secrets and agents that say no place. */
const secretDirectory = '/run/secrets'
const agentPath = '/run/buildkit/ssh_agent.'

/** The `--mount` options of one RUN. */
export interface OpenedMounts {
  /** For the key: what is mounted where, never a secret's value. */
  readonly settings: Readonly<Record<string, string>>
  /** For the key: the files that a mount shows. */
  readonly files: readonly KeyFile[]
  /** `NAME=value` entries that are no secret. */
  readonly environment: readonly string[]
  readonly secretEnvironment: readonly string[]
  /** Makes what the container needs and the key does not. */
  prepare(): Promise<readonly StepMount[]>
}

/**
 * Opens what the mounts of a RUN show, without following anything out of its root.
 * @param open takes what is closed after the step
 * @throws EngineError with BuildKit's texts
 */
export async function openMounts(step: Step, written: readonly string[], open: AsyncDisposableStack): Promise<OpenedMounts> {
  const mounts = written.map((text) => parseRunMount(text, (value) => expand(step, value)))
  const settings: Record<string, string> = {}
  const files: KeyFile[] = []
  const makers: (() => Promise<StepMount | undefined>)[] = []
  const environment: string[] = []
  const secretEnvironment: string[] = []
  let agents = 0
  for (const [index, mount] of mounts.entries()) {
    const target = joinPath('/', mount.target.startsWith('/') ? '' : step.state.config.WorkingDir ?? '', mount.target)
    settings[`mount ${index}`] = describeMount(mount, target)
    if (mount.type === 'bind') {
      const source = await openSource(step, mount, open)
      files.push(...(await digestMount(step, source, mount)))
      makers.push(() => bindMount(step, source, mount, target, open))
    } else if (mount.type === 'cache') {
      const source = mount.from === '' ? undefined : await openSource(step, mount, open)
      makers.push(async () => ({ ...cacheMount(mount, target, step.build.cacheNamespace), initial: source?.found.fd, begins: beginning(mount, source) }))
    } else if (mount.type === 'tmpfs') {
      makers.push(async () => ({ kind: 'tmpfs', target, size: mount.size }))
    } else if (mount.type === 'secret') {
      const secret = findSecret(step, mount)
      if (secret === undefined) continue
      if (mount.env !== undefined) secretEnvironment.push(`${mount.env}=${secret.data.toString()}`)
      if (mount.env === undefined || mount.target !== '') makers.push(async () => ({ kind: 'secret', ...secret, mode: mount.mode ?? 0o400, uid: mount.uid, gid: mount.gid }))
    } else {
      const agent = findAgent(step, mount)
      if (agent === undefined) continue
      const path = mount.target === '' ? `${agentPath}${agents}` : target
      if (agents++ === 0) environment.push(`SSH_AUTH_SOCK=${path}`)
      makers.push(async () => ({ kind: 'ssh', target: path, agent, mode: mount.mode ?? 0o600, uid: mount.uid, gid: mount.gid }))
    }
  }
  const prepare = async (): Promise<StepMount[]> => {
    const prepared: StepMount[] = []
    for (const make of makers) prepared.push(...[await make()].filter((mount) => mount !== undefined))
    return prepared
  }
  return { settings, files, environment, secretEnvironment, prepare }
}

interface Opened {
  readonly root: FromRoot
  readonly path: string
  readonly found: Descriptor
}

async function openSource(step: Step, mount: RunMount, open: AsyncDisposableStack): Promise<Opened> {
  const root = mount.from === '' ? contextRoot(step) : open.use(await step.openFrom(mount.from))
  const path = cleanPath(`/${mount.source}`)
  try {
    return { root, path, found: open.use(openInRoot(root.fd, path, O_PATH)) }
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
    throw new EngineError('invalid-argument', `failed to compute cache key: ${JSON.stringify(mount.source)}: not found`, { cause: error })
  }
}

function contextRoot({ build: { context } }: Step): FromRoot {
  if (context === undefined) throw new EngineError('invalid-argument', 'missing build context')
  return { fd: context.fd, image: undefined, [Symbol.asyncDispose]: async () => undefined }
}

/** What a mount shows counts by its content; a whole image by its layers, since reading all of it would take long. */
async function digestMount({ build }: Step, { root, path }: Opened, mount: RunMount): Promise<readonly KeyFile[]> {
  const { image } = root
  if (image !== undefined && path === '/') return [{ path: `${mount.from}:${path}`, digest: image.content }]
  const version = image !== undefined ? `image ${image.id}` : mount.from === '' ? build.context?.version : undefined
  const files = await digestSource({ rootFd: root.fd, path, directory: true, extract: false, version }, true, build.signal)
  return mount.from === '' ? files : files.map((file) => ({ ...file, path: `${mount.from}:${file.path}` }))
}

/** What is mounted for writing is a copy that is thrown away. */
async function bindMount({ build: { executor } }: Step, { found }: Opened, mount: RunMount, target: string, open: AsyncDisposableStack): Promise<StepMount> {
  if (mount.readOnly) return { kind: 'bind', target, fd: found.fd, readOnly: true }
  const copy = open.use(await executor.editCopy(found.fd))
  return { kind: 'bind', target, fd: copy.fd, readOnly: false }
}

function beginning({ from, source: path, uid, gid, mode = 0o755 }: RunMount, source: Opened | undefined): string {
  if (source === undefined && uid === 0 && gid === 0 && mode === 0o755) return ''
  return JSON.stringify([uid, gid, mode, source === undefined ? [] : [source.root.image?.content ?? from, path]])
}

function cacheMount(mount: RunMount, target: string, namespace: string): Omit<Extract<StepMount, { kind: 'cache' }>, 'initial' | 'begins'> {
  return { kind: 'cache', target, id: joinPath(namespace, mount.id || target), sharing: mount.sharing, readOnly: mount.readOnly, mode: mount.mode ?? 0o755, uid: mount.uid, gid: mount.gid }
}

function findSecret({ build, state }: Step, mount: RunMount): { readonly target: string; readonly data: Buffer } | undefined {
  const id = mount.id || (mount.target === '' ? '' : (cleanPath(mount.target).split('/').at(-1) as string))
  if (id === '') throw new EngineError('invalid-argument', 'invalid secret mount. one of source, target required')
  const data = build.inputs.secrets.get(id)
  if (data === undefined && mount.required) throw new EngineError('invalid-argument', `secret ${id}: not found`)
  if (data === undefined) return undefined
  const target = mount.target === '' ? `${secretDirectory}/${id}` : joinPath('/', mount.target.startsWith('/') ? '' : state.config.WorkingDir ?? '', mount.target)
  return { target, data }
}

function findAgent({ build }: Step, mount: RunMount): string | undefined {
  const agent = build.inputs.agents.get(mount.id || 'default')
  if (agent === undefined && mount.required) throw new EngineError('invalid-argument', `unset ssh forward key ${mount.id || 'default'}`)
  return agent
}

/** Sizes, modes and owners of what is empty or the client's do not change a step's result in BuildKit's eyes; in ours they do. */
function describeMount(mount: RunMount, target: string): string {
  const { type, from, source, readOnly, id, sharing, size, mode, uid, gid, env } = mount
  return JSON.stringify({ type, from, source, target, readOnly, id, sharing, size, mode, uid, gid, env })
}
