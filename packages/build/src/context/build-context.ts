import { createWriteStream, statSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { openParent, openRoot, readFileInRoot, removeTree, type Descriptor } from '@engine/linux/paths'
import { IgnoreMatcher, readDockerignore } from '../dockerignore.ts'
import { cleanPath } from '../filepath.ts'
import type { Owner } from './destination.ts'
import type { KeptContext } from './open-context.ts'

/** Largest Dockerfile or .dockerignore that is read, in bytes. */
const maxTextBytes = 16 << 20

/**
 * Makes the entries of a tar (compressed or not) in a directory; names and links of it must not reach outside. Without an owner they
 * have those of the archive.
 */
export type Unpack = (file: string, directory: string, signal: AbortSignal, owner?: Owner) => Promise<unknown>

/** The files that a client sent with its build, in a directory of their own. Names in there are the client's: only descriptors touch them. */
export class BuildContext implements Disposable {
  readonly #root: Descriptor
  /** The Dockerfile's path, when the context decides it and not the client. */
  readonly #dockerfile: string | undefined

  readonly #removed: (path: string) => void
  /** Names what the context holds; undefined when there is no telling whether it was seen before. */
  readonly #version: string | undefined
  #changed = false

  /**
   * @param root    directory with the files; closed with the context
   * @param removed told of what {@link readDockerfile} takes away
   * @param version names what the directory holds, for what is remembered of it from build to build
   */
  constructor(root: Descriptor, dockerfile?: string, removed: (path: string) => void = () => undefined, version?: string) {
    this.#root = root
    this.#dockerfile = dockerfile
    this.#removed = removed
    this.#version = version
  }

  /** Names what the context holds: what has the same name has the same files. Undefined when that is not known. */
  get version(): string | undefined {
    return this.#changed ? undefined : this.#version
  }

  /** Descriptor of the context's root directory. */
  get fd(): number {
    return this.#root.fd
  }

  /**
   * Takes a context from a client.
   * @param tar       the archive's bytes, compressed or not
   * @param directory an empty directory that is the build's alone; the caller removes it
   * @throws EngineError invalid-argument for what is no tar; AbortError when the client went away
   */
  static async receive(tar: Readable, directory: string, unpack: Unpack, signal: AbortSignal): Promise<BuildContext> {
    const files = join(directory, 'context')
    await mkdir(files, { mode: 0o755 })
    const archive = join(directory, 'context.tar')
    await pipeline(tar, createWriteStream(archive, { mode: 0o600 }), { signal })
    await unpack(archive, files, signal)
    await rm(archive)
    return new BuildContext(openRoot(files))
  }

  /** Completes a context that is kept from an earlier build by what a client sends. @throws as {@link receive} */
  static async complete(tar: Readable, kept: KeptContext, { directory, unpack, signal }: { readonly directory: string; readonly unpack: Unpack; readonly signal: AbortSignal }): Promise<BuildContext> {
    const archive = join(directory, 'context.tar')
    await pipeline(tar, createWriteStream(archive, { mode: 0o600 }), { signal })
    if (statSync(archive).size > 0) await unpack(archive, kept.directory, signal)
    await rm(archive)
    kept.whole()
    return new BuildContext(openRoot(kept.directory), undefined, (path) => kept.forget([path]), kept.version)
  }

  /**
   * Reads the Dockerfile, and takes it and .dockerignore out of the context when .dockerignore says so.
   * @param given its path in the context; `Dockerfile` is also found as `dockerfile`
   * @throws EngineError invalid-argument with Docker's texts
   */
  readDockerfile(given: string): string {
    const name = this.#dockerfile ?? given
    const path = dockerfilePath(name)
    const text = this.#read(path) ?? (path === 'Dockerfile' ? this.#read('dockerfile') : undefined)
    // Docker answers this one with status 500.
    if (text === undefined) throw new EngineError('invalid-argument', `Cannot locate specified Dockerfile: ${name}`)
    if (text === '') throw new EngineError('invalid-argument', `the Dockerfile (${name}) cannot be empty`)
    const ignored = this.#read('.dockerignore')
    if (ignored !== undefined) {
      const matcher = new IgnoreMatcher(readDockerignore(ignored))
      for (const file of ['.dockerignore', path]) if (matcher.ignores(file)) this.#remove(file)
    }
    return text
  }

  /** The patterns of .dockerignore. Read before {@link readDockerfile}, which may take it away. */
  readIgnored(): string[] {
    const text = this.#read('.dockerignore')
    return text === undefined ? [] : readDockerignore(text)
  }

  #read(path: string): string | undefined {
    try {
      return readFileInRoot(this.fd, path, maxTextBytes).toString('utf8')
    } catch (error) {
      if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined
      throw error
    }
  }

  #remove(path: string): void {
    using parent = openParent(this.fd, path)
    removeTree(parent.directory.fd, parent.name)
    this.#removed(path)
    this.#changed = true
  }

  [Symbol.dispose](): void {
    this.#root.close()
  }
}

/** @throws EngineError invalid-argument when it leads outside */
function dockerfilePath(path: string): string {
  const clean = cleanPath(path.replace(/^\//, ''))
  if (clean === '..' || clean.startsWith('../')) throw new EngineError('invalid-argument', `forbidden path outside the build context: ${path.replace(/^\//, '')} ()`)
  return clean.replace(/^\//, '')
}

/**
 * A path in a context or an image as COPY and ADD name it: relative, without `.` and `..`. What would lead outside begins at the root,
 * as the Dockerfile reference says: `../x` is `x`.
 */
export function contextPath(path: string): string {
  return cleanPath(`/${path}`).slice(1) || '.'
}
