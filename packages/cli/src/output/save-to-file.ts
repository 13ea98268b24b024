import { randomBytes } from 'node:crypto'
import { lstatSync, renameSync, rmSync, statSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errorText } from '../arguments/error-text.ts'

/**
 * Writes a stream to a file that is there only when it is whole: into a temporary one beside it, which then takes its name. A stream that
 * breaks, a full disk, Ctrl-C leave what was there before.
 * @throws Error with docker's text for a path that cannot be written, or what the stream throws
 */
export async function saveToFile(path: string, begin: () => Promise<AsyncIterable<Buffer>>): Promise<void> {
  const directory = directoryOf(path)
  validate(path, directory)
  const temporary = join(directory, `.tmp-${basename(path)}${randomBytes(6).toString('hex')}`)
  const remove = (): void => rmSync(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
    throw new Error(`open ${temporary}: ${errorText(error)}`)
  })
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal, at) => {
    const handler = (): never => {
      remove()
      process.exit([130, 143, 129][at])
    }
    process.once(signal, handler)
    return (): void => void process.off(signal, handler)
  })
  try {
    for await (const chunk of await begin()) await file.writeFile(chunk).catch((error: unknown) => {
      throw new Error(`write ${temporary}: ${errorText(error)}`)
    })
    await file.sync()
    await file.close()
    renameSync(temporary, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    remove()
    throw error
  } finally {
    for (const forget of handlers) forget()
  }
}

/** Go's filepath.Dir: a path that ends in a slash is a directory of its own. */
function directoryOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? '.' : at === 0 ? '/' : path.slice(0, at)
}

/** The checks of moby's atomicwriter. */
function validate(path: string, directory: string): void {
  if (path === '') throw new Error('file name is empty')
  try {
    if (!statSync(directory).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' })
  } catch (error) {
    throw new Error(`invalid output path: stat ${directory}: ${errorText(error)}`, { cause: error })
  }
  let stats: Stats | undefined
  try {
    stats = lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw new Error(`failed to stat output path: lstat ${path}: ${errorText(error)}`, { cause: error })
  }
  const what = stats === undefined || stats.isFile() ? undefined : kind(stats)
  if (what !== undefined) throw new Error(`cannot write to a ${what}`)
}

function kind(stats: Stats): string {
  if (stats.isDirectory()) return 'directory'
  if (stats.isSymbolicLink()) return 'symbolic link directly'
  if (stats.isFIFO()) return 'named pipe (FIFO)'
  if (stats.isSocket()) return 'socket'
  return stats.isCharacterDevice() ? 'character device file' : 'block device file'
}
