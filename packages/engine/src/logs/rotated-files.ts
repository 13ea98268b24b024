import { constants, createReadStream, createWriteStream } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'

/** One file of a log, open for reading. */
export interface OpenLogFile extends AsyncDisposable {
  readonly inode: number
  readonly size: number
  /** Reads at a place. @returns bytes read; 0 at the end */
  read(into: Buffer, position: number): Promise<number>
  /** Size and inode of what is open, as they are now. */
  now(): Promise<{ readonly size: number; readonly links: number }>
}

/** Opens a file of a log. @returns undefined when there is none */
export async function openLogFile(path: string): Promise<OpenLogFile | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return openLogHandle(handle)
}

/** @param inode what it counts as; by default the file's own */
async function openLogHandle(handle: FileHandle, inode?: number): Promise<OpenLogFile> {
  const { ino, size } = await handle.stat()
  return {
    inode: inode ?? ino,
    size,
    read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
    now: async () => {
      const stats = await handle.stat()
      return { size: stats.size, links: stats.nlink }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

/** O_TMPFILE of open(2), which Node does not name: a file without a name, gone when it is closed. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

/** The content of a compressed file, in a nameless file beside it: it may be as long as the log's max-size, which is too much for memory. */
async function openCompressed(path: string): Promise<OpenLogFile | undefined> {
  let whole: FileHandle | undefined
  try {
    whole = await open(dirname(path), O_TMPFILE | constants.O_RDWR, 0o600)
    const { fd } = whole
    await pipeline(createReadStream(path), createGunzip(), createWriteStream('', { fd, autoClose: false }))
    return await openLogHandle(whole, -1)
  } catch (error) {
    await whole?.close()
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Opens the rotated file of a number: `.1` is the newest; `.1.gz` if it has been compressed. */
export async function openRotated(path: string, number: number): Promise<OpenLogFile | undefined> {
  return (await openLogFile(`${path}.${number}`)) ?? (await openCompressed(`${path}.${number}.gz`))
}

/** How many rotated files there are. */
export async function rotatedCount(path: string, most: number): Promise<number> {
  let count = 0
  while (count < most && (await exists(`${path}.${count + 1}`))) count += 1
  return count
}

/** Whether one of a log's files, compressed or not, is there. */
async function exists(path: string): Promise<boolean> {
  for (const name of [path, `${path}.gz`]) {
    if ((await stat(name).catch(() => undefined)) !== undefined) return true
  }
  return false
}

const BLOCK_BYTES = 64 * 1024

/**
 * Where the last `lines` lines of a file begin.
 * @returns the place, and how many lines there are from it on (fewer than asked for when the file has no more)
 */
export async function lastLines(file: OpenLogFile, lines: number): Promise<{ readonly offset: number; readonly found: number }> {
  if (lines <= 0) return { offset: file.size, found: 0 }
  const block = Buffer.alloc(BLOCK_BYTES)
  let found = 0
  for (let end = file.size; end > 0; ) {
    const start = Math.max(0, end - BLOCK_BYTES)
    const length = await file.read(block.subarray(0, end - start), start)
    // The line feed that ends the file begins no line.
    let at = block.lastIndexOf(10, end === file.size ? length - 2 : length - 1)
    for (; at >= 0; at = at === 0 ? -1 : block.lastIndexOf(10, at - 1)) {
      found += 1
      if (found === lines) return { offset: start + at + 1, found }
    }
    end = start
  }
  return { offset: 0, found: file.size === 0 ? 0 : found + 1 }
}
