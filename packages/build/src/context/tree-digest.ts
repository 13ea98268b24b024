import { createHash } from 'node:crypto'
import { constants, fstatSync, type Stats } from 'node:fs'
import { read } from 'node:fs'
import { promisify } from 'node:util'
import { readlinkat } from '@engine/linux/file-at'
import { listDirectory, openChild, openInRoot, O_PATH, procPath, reopen } from '@engine/linux/paths'
import { getXattr } from '@engine/linux/xattr'
import type { KeyFile } from '../cache.ts'
import type { Source } from './source.ts'

const readAsync = promisify(read)

/**
 * Describes a source by its content, for the cache: each file's type, mode, owner, and content or target; no times.
 * @param owned whether owners count; they do not when every copy gets the same one
 */
export async function digestSource(source: Source, owned: boolean, signal: AbortSignal): Promise<KeyFile[]> {
  const files: KeyFile[] = []
  const visit = async (fd: number, path: string): Promise<void> => {
    signal.throwIfAborted()
    const stat = fstatSync(fd)
    files.push({ path, digest: await digestEntry(fd, stat, owned) })
    if (!stat.isDirectory()) return
    for (const name of listDirectory(fd)) {
      using child = openChild(fd, name, O_PATH)
      // Bytes that are not UTF-8 stay apart from each other.
      await visit(child.fd, `${path}/${name.toString('latin1')}`)
    }
  }
  using top = openInRoot(source.rootFd, source.path, O_PATH)
  await visit(top.fd, source.path)
  return files
}

async function digestEntry(fd: number, stat: Stats, owned: boolean): Promise<string> {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([stat.mode, owned ? [stat.uid, stat.gid] : [], stat.isFile() ? stat.size : 0]))
  if (stat.isFile()) {
    hash.update(getXattr(procPath(fd), 'security.capability') ?? '')
    using file = reopen(fd, constants.O_RDONLY | constants.O_NOCTTY)
    const buffer = Buffer.alloc(Math.max(1, Math.min(stat.size, 1 << 20)))
    for (;;) {
      const { bytesRead } = await readAsync(file.fd, buffer, 0, buffer.length, null)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
    }
  } else if (stat.isSymbolicLink()) {
    hash.update(readlinkat(fd, ''))
  } else if (stat.isCharacterDevice() || stat.isBlockDevice()) {
    hash.update(String(stat.rdev))
  }
  return hash.digest('hex')
}
