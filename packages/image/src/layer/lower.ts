import { constants, fstatSync, type BigIntStats } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { listDirectory, openChild, openInRoot, O_PATH, procPath, type Descriptor } from '@engine/linux/paths'
import { isOpaque, isWhiteout } from './diff.ts'

/** What is found below: its attributes, and the layer's own descriptor of it (closed by the caller). */
export interface Found extends Disposable {
  readonly descriptor: Descriptor
  readonly stats: BigIntStats
}

/**
 * Looks a name up in a stack of layers as an overlay would show it, without mounting one. No link is followed: a link on the way
 * means that there is nothing.
 * @param lowerFds the layers' directories, topmost first
 */
export function findInLayers(lowerFds: readonly number[], path: readonly Buffer[]): Found | undefined {
  for (const lowerFd of lowerFds) {
    const found = findInOne(lowerFd, path)
    if (found === 'hidden') return undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** The names that a directory shows, of all layers together. */
export function listInLayers(lowerFds: readonly number[], path: readonly Buffer[]): Buffer[] {
  const seen = new Map<string, boolean>()
  for (const lowerFd of lowerFds) {
    const found = findInOne(lowerFd, path)
    if (found === 'hidden') break
    if (found === undefined) continue
    using directory = found.descriptor
    if (!found.stats.isDirectory()) break
    for (const name of listDirectory(directory.fd)) {
      const key = name.toString('latin1')
      if (seen.has(key)) continue
      using child = openChild(directory.fd, name, O_PATH)
      seen.set(key, !isWhiteout(fstatSync(child.fd, { bigint: true })))
    }
    if (isOpaque(`${procPath(directory.fd)}/.`)) break
  }
  return [...seen].filter(([, shown]) => shown).map(([key]) => Buffer.from(key, 'latin1')).sort(Buffer.compare)
}

/** In one layer: found, not there (the next layer may have it), or hidden from those below. */
function findInOne(lowerFd: number, path: readonly Buffer[]): Found | 'hidden' | undefined {
  let hides = false
  let at = openInRoot(lowerFd, '', O_PATH | constants.O_DIRECTORY)
  for (const [index, name] of path.entries()) {
    let next: Descriptor
    try {
      next = openChild(at.fd, name, O_PATH)
    } catch (error) {
      at.close()
      if (failedWith(error, Errno.ENOENT)) return hides ? 'hidden' : undefined
      throw error
    }
    at.close()
    at = next
    const stats = fstatSync(at.fd, { bigint: true })
    const isLast = index === path.length - 1
    if (isWhiteout(stats) || (!isLast && !stats.isDirectory())) {
      at.close()
      return 'hidden'
    }
    if (!isLast) hides ||= isOpaque(`${procPath(at.fd)}/.`)
  }
  const descriptor = at
  return { descriptor, stats: fstatSync(descriptor.fd, { bigint: true }), [Symbol.dispose]: () => descriptor.close() }
}
