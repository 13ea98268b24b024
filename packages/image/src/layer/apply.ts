import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { stat } from 'node:fs/promises'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { openInRoot, openRoot, O_PATH, type Descriptor } from '@engine/linux/paths'
import type { Digest } from '../digest.ts'
import type { Growth } from '../worker/growing-file.ts'
import { readPieces } from './compression.ts'
import { diffTree } from './diff.ts'
import { syncTree } from './sync.ts'
import { beyondLimit, checkRatio, defaultLimits, type TarLimits } from './tar/entry.ts'
import { TarReader } from './tar/reader.ts'
import { TreeWriter } from './tree-writer.ts'
import { treeUsage } from './usage.ts'

export interface ExtractOptions {
  /** `layer`: whiteouts and devices; `tree`: devices, but no whiteouts (a copy); `archive`: neither (a build context). */
  readonly kind: 'layer' | 'tree' | 'archive'
  readonly limits?: TarLimits
  /** Whether all is on the disk when it returns. */
  readonly sync: boolean
  /** Who owns what is made; without it, whom the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

export interface Extracted {
  /** Digest of the uncompressed tar, to its very end. */
  readonly diffId: Digest
  /** Bytes of the uncompressed tar. */
  readonly tarSize: number
  /** Bytes of the files that were made, as Docker counts a layer's size. */
  readonly size: number
  readonly entries: number
}

/**
 * Makes a tar's entries in a directory that exists and is nobody else's meanwhile. When it fails, the directory holds what was
 * made so far: the caller removes it. Synchronous file work in between: runs in a worker.
 * @param file path of the tar, compressed or not
 * @param onRead told how many of the file's bytes have been read
 * @param coming of a file that is still being written: the bytes that it will have, and how far it is
 * @throws EngineError invalid-argument for what is no tar or exceeds a limit; 'cancelled' by `signal`
 */
export async function extract(file: string, directory: string, options: ExtractOptions, signal?: AbortSignal, onRead?: (bytes: number) => void, coming?: { readonly size: number; readonly growth: Growth }): Promise<Extracted> {
  if (coming !== undefined) return extractPieces(coming.growth.read(file, onRead), directory, options, signal, coming.size)
  const { size } = await stat(file)
  return extractPieces(readPieces(file, onRead), directory, options, signal, size)
}

/** Copies an overlay's upper directory by making its tar and extracting that, so that the copy is what the digest says. */
export async function copyLayer(from: string, directory: string, options: ExtractOptions, signal?: AbortSignal): Promise<Extracted> {
  using root = openRoot(from)
  return await extractPieces(diffTree(root.fd, { kind: 'layer' }), directory, options, signal)
}

/**
 * Copies what a container's root has at a path into a directory: for volumes that begin with what the image has in their place.
 * The directory gets the source's owner and mode. Nothing happens when there is no directory at that path.
 */
export async function copyTree(root: string, path: string, directory: string, options: ExtractOptions, signal?: AbortSignal): Promise<Extracted | undefined> {
  using rootDirectory = openRoot(root)
  let source: Descriptor
  try {
    source = openInRoot(rootDirectory.fd, path, O_PATH | constants.O_DIRECTORY)
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined
    throw error
  }
  using from = source
  return await extractPieces(diffTree(from.fd, { kind: 'archive', exactTimes: true }), directory, options, signal)
}

async function extractPieces(
  pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
  directory: string,
  options: ExtractOptions,
  signal: AbortSignal | undefined,
  compressed = Number.POSITIVE_INFINITY,
): Promise<Extracted> {
  const limits = options.limits ?? defaultLimits
  using root = openRoot(directory)
  using writer = new TreeWriter(root.fd, { whiteouts: options.kind === 'layer', devices: options.kind !== 'archive', limits, owner: options.owner })
  const reader = new TarReader(writer, limits)
  const hash = createHash('sha256')
  let tarSize = 0
  for await (const chunk of pieces) {
    if (signal?.aborted === true) throw new EngineError('cancelled', 'cancelled')
    hash.update(chunk)
    tarSize += chunk.length
    // Padding after the archive's end counts for the digest; a stream of it without end must not.
    if (tarSize > limits.contentBytes * 2) throw beyondLimit('total-size', `the archive is larger than ${limits.contentBytes * 2} bytes`)
    checkRatio(limits, compressed, tarSize)
    reader.push(chunk)
  }
  reader.end()
  writer.end()
  if (options.sync) syncTree(root.fd)
  return { diffId: `sha256:${hash.digest('hex')}`, tarSize, size: writer.size ?? treeUsage(root.fd), entries: reader.entries }
}
