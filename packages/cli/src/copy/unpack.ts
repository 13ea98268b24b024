import { chmodSync, closeSync, constants, linkSync, lstatSync, lutimesSync, mkdirSync, openSync, rmSync, symlinkSync, utimesSync, writeSync, type Stats } from 'node:fs'
import { join, resolve } from 'node:path'
import { execFileSync } from 'node:child_process'
import { readTar, type ReadEntry } from './tar-reader.ts'

/** Where an archive goes. */
export interface Target {
  /** A directory that exists. */
  readonly directory: string
  /** What the archive's first component is called in it, instead of its own name; '' for the directory itself. */
  readonly name: string
}

/**
 * Makes an archive's entries here. It comes from a container, which may be hostile: no name leads out of the target, and no link that
 * the archive has brought is followed.
 * @throws Error with docker's texts
 */
export async function unpack(chunks: AsyncIterable<Buffer>, top: string, target: Target): Promise<void> {
  const times: (() => void)[] = []
  for await (const entry of readTar(chunks)) {
    const path = place(entry.path, top, target)
    if (path === target.directory) continue
    makeParents(path, target.directory)
    await make(entry, path, top, target)
    // A directory's time changes with all that is made in it.
    if (entry.type === 'directory') times.push(() => utimesSync(path, entry.modified, entry.modified))
    else if (entry.type === 'symlink') lutimesSync(path, entry.modified, entry.modified)
    else if (entry.type !== 'hardlink' && entry.type !== 'other') utimesSync(path, entry.modified, entry.modified)
  }
  for (const set of times.reverse()) set()
}

/** The path of an entry below the target. */
function place(name: string, top: string, { directory, name: newTop }: Target): string {
  const inside = inner(name, top)
  const path = resolve(join(directory, newTop, inside))
  if (path !== directory && !path.startsWith(directory === '/' ? '/' : `${directory}/`)) throw new Error(`invalid entry name ${JSON.stringify(name)}`)
  return path
}

/** An entry's path below the first component. */
function inner(name: string, top: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw new Error(`invalid entry name ${JSON.stringify(name)}`)
  if (top === '.' || top === '/') return parts.join('/')
  if (parts[0] !== top) throw new Error(`invalid entry name ${JSON.stringify(name)}`)
  return parts.slice(1).join('/')
}

function makeParents(path: string, directory: string): void {
  const parts = path.slice(directory.length).split('/').filter((part) => part !== '').slice(0, -1)
  let at = directory
  for (const part of parts) {
    at = join(at, part)
    const stats = found(at)
    if (stats === undefined) mkdirSync(at)
    else if (!stats.isDirectory()) throw new Error(`${at}: not a directory`)
  }
}

async function make(entry: ReadEntry, path: string, top: string, target: Target): Promise<void> {
  const existing = found(path)
  if (existing?.isDirectory() === true && entry.type !== 'directory') throw new Error(`cannot overwrite directory ${JSON.stringify(path)} with non-directory ${JSON.stringify(target.directory)}`)
  if (existing !== undefined && !existing.isDirectory() && entry.type === 'directory') throw new Error(`cannot overwrite non-directory ${JSON.stringify(path)} with directory ${JSON.stringify(target.directory)}`)
  if (existing !== undefined && !existing.isDirectory()) rmSync(path)
  switch (entry.type) {
    case 'directory':
      if (existing === undefined) mkdirSync(path)
      chmodSync(path, entry.mode)
      return
    case 'file':
      return await writeFile(entry, path)
    case 'symlink':
      return symlinkSync(entry.linkTarget, path)
    case 'hardlink': {
      const from = place(entry.linkTarget, top, target)
      makeParents(from, target.directory)
      return linkSync(from, path)
    }
    case 'fifo':
      execFileSync('mkfifo', ['-m', entry.mode.toString(8), '--', path])
      return
    case 'other':
      throw new Error(`${entry.path}: devices are not copied out of containers`)
  }
}

async function writeFile({ content, mode }: ReadEntry, path: string): Promise<void> {
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    for await (const chunk of content) for (let done = 0; done < chunk.length; ) done += writeSync(descriptor, chunk, done)
  } finally {
    closeSync(descriptor)
  }
  chmodSync(path, mode)
}

function found(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}
