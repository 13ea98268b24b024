import { lstatSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'

/** One of the two arguments of `cp`: a path here, or `container:path`. */
export interface CopyArgument {
  /** '' for a path here. */
  readonly container: string
  readonly path: string
}

/** Takes `container:path` apart; what begins with `/` or `.` is a path here, whatever colons it has. */
export function parseCopyArgument(given: string): CopyArgument {
  const colon = given.indexOf(':')
  if (colon < 0 || given.startsWith('/') || given.startsWith('.')) return { container: '', path: given }
  return { container: given.slice(0, colon), path: given.slice(colon + 1) }
}

/** One end of a copy. */
export interface End {
  readonly path: string
  readonly exists: boolean
  readonly isDirectory: boolean
}

/** Where a copy goes: into a directory, under a name; `.` stands for the directory's own contents. */
export interface Destination {
  readonly directory: string
  readonly name: string
}

/**
 * Decides what a copy becomes at its destination, by the rules of `docker cp` (and mostly of cp).
 * @param source its name, `.` for a directory's contents, and whether it is a directory
 * @throws Error with docker's texts
 */
export function destinationOf(source: { readonly name: string; readonly isDirectory: boolean }, target: End): Destination {
  if (target.exists && target.isDirectory) return { directory: target.path, name: source.name }
  if (target.exists && source.isDirectory) throw new Error('cannot copy directory')
  if (!source.isDirectory && !target.exists && /(^|\/)\.?$/.test(target.path)) throw new Error('no such directory')
  const trimmed = target.path.replace(/\/+$/, '')
  return { directory: dirname(trimmed), name: basename(trimmed) }
}

/** What is at a path here, the way there and the last link followed. A trailing slash or `/.` is kept. */
export function localEnd(given: string): End {
  const path = absolute(given)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) {
    const link = lstatSync(path, { throwIfNoEntry: false })
    if (link !== undefined) return { path, exists: false, isDirectory: false }
    const parent = statSync(dirname(path.replace(/\/+$/, '')), { throwIfNoEntry: false })
    if (parent === undefined) throw new Error(`invalid output path: directory ${JSON.stringify(dirname(path))} does not exist`)
    return { path, exists: false, isDirectory: false }
  }
  return { path: realpathSync(path), exists: true, isDirectory: stats.isDirectory() }
}

/** An absolute path that keeps a slash or `/.` at its end. */
export function absolute(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1)
  const whole = resolve(path)
  if (last === '.' && whole !== '/') return `${whole}/.`
  return last === '' && whole !== '/' ? `${whole}/` : whole
}
