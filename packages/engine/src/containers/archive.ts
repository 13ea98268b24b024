import type { Readable } from 'node:stream'
import { WorkerError, type ViewSpec } from '@engine/image'
import { EngineError } from '@engine/linux'
import { openRoot } from '@engine/linux/paths'
import { resolveUser } from '@engine/runtime'
import { rfc3339 } from '../clock.ts'
import type { EngineContext } from '../context.ts'
import type { ArchiveStat } from '../interface.ts'
import { cleanPath } from './config.ts'
import type { Container } from './container.ts'
import { goFileMode } from './file-mode.ts'
import { withView } from './view.ts'

/**
 * What a container has at a path; a link at the end is itself.
 * @throws EngineError not-found `Could not find the file /x in container y`
 */
export async function statArchive(engine: EngineContext, ref: string, path: string): Promise<ArchiveStat> {
  const container = engine.containers.find(ref)
  return await withView(engine, container, (view) => stat(engine, view, ref, path))
}

/** The tar of what a container has at a path, with what {@link statArchive} says of it. The stream ends when it is destroyed. */
export async function readArchive(engine: EngineContext, ref: string, path: string): Promise<{ readonly stat: ArchiveStat; readonly tar: Readable }> {
  const container = engine.containers.find(ref)
  return await new Promise((resolve, reject) => {
    withView(engine, container, async (view) => {
      const found = await stat(engine, view, ref, path)
      const tar = engine.transfers.stream({ kind: 'view-archive', view, path: inContainer(path), name: found.name })
      const over = new Promise<void>((closed) => tar.once('close', closed))
      engine.events.publish('container', 'archive-path', container.id, container.attributes())
      resolve({ stat: found, tar })
      await over
    }).catch(reject)
  })
}

/**
 * Extracts a tar (compressed or not) into a directory of a container.
 * @throws EngineError invalid-argument in Docker's words for what is no directory or is read-only, and for bad archives
 */
export async function writeArchive(
  engine: EngineContext,
  ref: string,
  path: string,
  tar: AsyncIterable<Buffer>,
  options: { readonly keepKinds: boolean; readonly ownedByUser: boolean },
  signal: AbortSignal,
): Promise<void> {
  const container = engine.containers.find(ref)
  await withView(engine, container, async (view) => {
    const owner = options.ownedByUser ? userOf(container, view) : undefined
    const job = { kind: 'view-extract', view, path: inContainer(path), options: { keepKinds: options.keepKinds, owner, limits: engine.options.archiveLimits } } as const
    await engine.transfers.feed(job, tar, signal).catch((error: unknown) => {
      throw described(error, ref, path)
    })
  })
  engine.events.publish('container', 'extract-to-dir', container.id, container.attributes())
}

async function stat(engine: EngineContext, view: ViewSpec, ref: string, path: string): Promise<ArchiveStat> {
  const resolved = inContainer(path)
  const { size, mode, mtime, linkTarget } = await engine.transfers.run({ kind: 'view-stat', view, path: resolved }).catch((error: unknown) => {
    throw described(error, ref, path)
  })
  return { name: baseName(resolved), size, mode: goFileMode(mode), mtime: rfc3339(mtime), linkTarget }
}

/** The path as Docker takes it: from the root on, cleaned by text, with a slash or `/.` at its end kept. */
function inContainer(path: string): string {
  const cleaned = cleanPath(path)
  const last = path.slice(path.lastIndexOf('/') + 1)
  if (last === '.') return cleaned === '/' ? '/.' : `${cleaned}/.`
  return last === '' && cleaned !== '/' ? `${cleaned}/` : cleaned
}

/** Go's filepath.Base. */
function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

function userOf(container: Container, view: ViewSpec): { uid: number; gid: number } | undefined {
  const { User } = container.record.config
  if (User === '') return undefined
  using root = openRoot(view.root)
  const { uid, gid } = resolveUser(root.fd, User, []).user
  return { uid, gid }
}

/** What a worker met, in Docker's words. */
function described(error: unknown, ref: string, path: string): unknown {
  if (!(error instanceof WorkerError) || error.errno === undefined) return error
  switch (error.errno) {
    case 'ENOENT':
      return new EngineError('not-found', `Could not find the file ${path} in container ${ref}`, { cause: error })
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return new EngineError('invalid-argument', `lstat ${inContainer(path)}: ${reasons[error.errno]}`, { cause: error })
    default:
      return error
  }
}

const reasons = { ENOTDIR: 'not a directory', ELOOP: 'too many levels of symbolic links', ENAMETOOLONG: 'file name too long' }
