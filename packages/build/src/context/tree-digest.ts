import { createHash, type Hash } from 'node:crypto'
import { constants, fstatSync, read, readSync, type BigIntStats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readlinkat } from '@engine/linux/file-at'
import { listDirectory, openChild, openInRoot, O_PATH, reopen } from '@engine/linux/paths'
import type { KeyFile } from '../cache.ts'
import { copiedXattrs } from './copied-xattrs.ts'
import { DigestMemory, SourceMemory } from './digest-memory.ts'
import type { Source } from './source.ts'

const readAsync = promisify(read)

/** Files up to this size are read at once: a thread's help costs more than the read. */
const smallFile = 256 << 10
/** Milliseconds after which other work gets its turn. */
const turn = 5

/**
 * Describes a source by its content, for the cache: each file's type, mode, owner, and content or target; no times.
 * @param owned whether owners count; they do not when every copy gets the same one
 */
export async function digestSource(source: Source, owned: boolean, signal: AbortSignal): Promise<readonly KeyFile[]> {
  const { version, path, selection } = source
  if (version === undefined || selection !== undefined) return digestFiles(source, owned, signal)
  const key = JSON.stringify([version, path, owned])
  const known = sources.find(key)
  if (known !== undefined) return known
  const files = await digestFiles(source, owned, signal)
  sources.remember(key, files)
  return files
}

async function digestFiles(source: Source, owned: boolean, signal: AbortSignal): Promise<KeyFile[]> {
  const files: KeyFile[] = []
  let began = performance.now()
  const visit = async (fd: number, path: string, relative: string): Promise<void> => {
    signal.throwIfAborted()
    if (performance.now() - began > turn) {
      await setImmediate()
      began = performance.now()
    }
    const stat = fstatSync(fd, { bigint: true })
    const digest = digestEntry(fd, stat, owned)
    files.push({ path, digest: typeof digest === 'string' ? digest : await digest })
    if (!stat.isDirectory()) return
    for (const name of listDirectory(fd)) {
      // Bytes that are not UTF-8 stay apart from each other.
      const text = name.toString('latin1')
      if (source.selection?.has(relative + text) === false) continue
      using child = openChild(fd, name, O_PATH)
      await visit(child.fd, `${path}/${text}`, `${relative}${text}/`)
    }
  }
  using top = openInRoot(source.rootFd, source.path, O_PATH)
  await visit(top.fd, source.path, '')
  return files
}

const memory = new DigestMemory()
const sources = new SourceMemory()

function digestEntry(fd: number, stat: BigIntStats, owned: boolean): string | Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([Number(stat.mode), owned ? [Number(stat.uid), Number(stat.gid)] : [], stat.isFile() ? Number(stat.size) : 0]))
  if (stat.isFile()) {
    const content = memory.find(stat) ?? readContent(fd, stat)
    return typeof content === 'string' ? hash.update(content).digest('hex') : content.then((digest) => hash.update(digest).digest('hex'))
  }
  if (stat.isDirectory()) digestXattrs(fd, hash)
  else if (stat.isSymbolicLink()) hash.update(readlinkat(fd, ''))
  else if (stat.isCharacterDevice() || stat.isBlockDevice()) hash.update(String(stat.rdev))
  return hash.digest('hex')
}

/** Digest of a file's content and attributes. */
function readContent(fd: number, stat: BigIntStats): string | Promise<string> {
  const hash = createHash('sha256')
  digestXattrs(fd, hash)
  const remembered = (digest: string): string => {
    memory.remember(stat, digest)
    return digest
  }
  if (stat.size > smallFile) return digestLarge(fd, hash).then(remembered)
  digestSmall(fd, Number(stat.size), hash)
  return remembered(hash.digest('hex'))
}

function digestXattrs(fd: number, hash: Hash): void {
  for (const [name, value] of copiedXattrs(fd)) hash.update(`${name} ${value.length}\0`).update(value)
}

function digestSmall(fd: number, size: number, hash: Hash): void {
  if (size === 0) return
  using file = reopen(fd, constants.O_RDONLY | constants.O_NOCTTY)
  const buffer = Buffer.allocUnsafe(size)
  for (let count = readSync(file.fd, buffer); count > 0; count = readSync(file.fd, buffer)) hash.update(buffer.subarray(0, count))
}

async function digestLarge(fd: number, hash: Hash): Promise<string> {
  using file = reopen(fd, constants.O_RDONLY | constants.O_NOCTTY)
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (;;) {
    const { bytesRead } = await readAsync(file.fd, buffer, 0, buffer.length, null)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}
