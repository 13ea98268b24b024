import { constants } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { openInRoot, openRoot, procChild, O_PATH, type Descriptor } from '@engine/linux/paths'
import type { BuildOutput } from '../output.ts'
import { isArchive } from './archive.ts'
import { BuildContext, type Unpack } from './build-context.ts'
import { download, isUrl } from './download.ts'
import { checkOut, parseGitUrl } from './git.ts'

export interface ContextTools {
  readonly unpack: Unpack
  /** A directory that is the build's alone. */
  readonly directory: string
  readonly output: BuildOutput
  readonly signal: AbortSignal
  /** What comes out of git keeps its `.git`. */
  readonly keepGitDir?: boolean
}

/** A directory that has the most of a context already. */
export interface KeptContext {
  readonly directory: string
  /** Names what it holds once it is whole: with the same name nothing has changed. */
  readonly version: string
  /** Everything that the client has sent is there. */
  whole(): void
  /** What was taken away for this build, and must be sent again for the next. */
  forget(paths: readonly string[]): void
}

/** The Dockerfile's name in a context that is nothing else. */
const alone = 'Dockerfile'

/**
 * Gets what a client builds from: the archive that it sent, or what its address leads to: a git repository, an archive, or a
 * Dockerfile alone.
 * @param remote the address; empty is none
 * @throws EngineError invalid-argument
 */
export async function openContext(tar: Readable, remote: string, tools: ContextTools, kept?: KeptContext): Promise<BuildContext> {
  if (kept !== undefined) return BuildContext.complete(tar, kept, tools)
  if (remote === '') return BuildContext.receive(tar, tools.directory, tools.unpack, tools.signal)
  tar.resume()
  return openRemote(remote, 'context', tools)
}

/** @throws EngineError invalid-argument when a repository has no such directory */
function openSubdirectory(rootFd: number, path: string): Descriptor {
  try {
    return openInRoot(rootFd, path, O_PATH | constants.O_DIRECTORY)
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) throw error
    throw new EngineError('invalid-argument', `subdirectory ${JSON.stringify(path)} of the repository not found`, { cause: error })
  }
}

/** @param name of a new directory below the build's own, for the files */
export async function openRemote(address: string, name: string, tools: ContextTools): Promise<BuildContext> {
  const git = parseGitUrl(address)
  if (git !== undefined) {
    const { directory } = await checkOut(git, tools.directory, { keepGitDir: tools.keepGitDir ?? false }, tools.signal)
    using root = openRoot(directory)
    return new BuildContext(openSubdirectory(root.fd, git.subdirectory))
  }
  if (!isUrl(address)) throw new EngineError('invalid-argument', `remoteURL (${address}) could not be recognized as URL`)
  const files = join(tools.directory, name)
  await mkdir(files, { mode: 0o755 })
  const found = await download(address, tools.directory, '', tools.output, tools.signal)
  const file = join(found.directory, found.name)
  if (await isArchive(file)) {
    await tools.unpack(file, files, tools.signal)
    return new BuildContext(openRoot(files))
  }
  using root = openRoot(files)
  await rename(file, procChild(root.fd, alone))
  return new BuildContext(openRoot(files), alone)
}
