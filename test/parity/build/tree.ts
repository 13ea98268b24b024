import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultLimits, TarReader, type TarEntry } from '@engine/image'
import { setXattr } from '@engine/linux/xattr'
import type { BuildCase, CaseFile } from './cases.ts'

/** A root file system: of each path what does not depend on when it was made. */
export type Tree = Readonly<Record<string, string>>

/** Reads the tar of a root: type, mode, owner, size, digest of the content, target, attributes. Several names of one file are told by the first. */
export function treeOf(tar: Buffer): Tree {
  const tree: Record<string, string> = {}
  let current: { readonly path: string; readonly text: string; readonly hash: ReturnType<typeof createHash> } | undefined
  const close = (): void => {
    if (current === undefined) return
    tree[current.path] = `${current.text} ${current.hash.digest('hex').slice(0, 16)}`
    current = undefined
  }
  const reader = new TarReader({
    entry(entry: TarEntry) {
      close()
      const path = entry.path.toString().replace(/^\.?\//, '').replace(/\/$/, '')
      if (path === '') return
      const xattrs = [...entry.xattrs].map(([name, value]) => `${name}=${value.toString('hex')}`).toSorted()
      const text = [entry.type, (entry.mode & 0o7777).toString(8), entry.uid, entry.gid, ...xattrs].join(' ')
      if (entry.type === 'file') current = { path, text: `${text} ${entry.size}`, hash: createHash('sha256') }
      // Which of a file's names comes first differs with the order of the archive.
      else if (entry.type === 'hardlink') tree[path] = `same as ${entry.linkPath.toString().replace(/^\.?\//, '')}`
      else tree[path] = entry.type === 'symlink' ? `symlink ${entry.uid} ${entry.gid} -> ${entry.linkPath.toString()}` : text
    },
    content: (chunk) => void current?.hash.update(chunk),
    finish: close,
  }, defaultLimits)
  reader.push(tar)
  reader.end()
  close()
  // A hard link is as its file is; which are one file is told by name.
  for (const [path, text] of Object.entries(tree)) if (text.startsWith('same as ')) tree[path] = `${tree[text.slice('same as '.length)]} linked`
  for (const [path, text] of Object.entries(tree)) if (text.endsWith(' linked')) for (const [other, same] of Object.entries(tree)) if (other !== path && `${same} linked` === text) tree[other] = text
  return tree
}

/** What a tree has that its base has not: changed and new paths, and with `-` those that are gone. */
export function difference(tree: Tree, base: Tree): Tree {
  const changed = Object.entries(tree).filter(([path, text]) => base[path] !== text)
  const gone = Object.keys(base).filter((path) => tree[path] === undefined).map((path): [string, string] => [path, '-'])
  return Object.fromEntries([...changed, ...gone].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const fields = ['Cmd', 'Entrypoint', 'Env', 'WorkingDir', 'User', 'Labels', 'ExposedPorts', 'Volumes', 'OnBuild', 'StopSignal', 'Shell', 'Healthcheck'] as const

/** The parts of an image's configuration that a Dockerfile decides; what is empty counts as absent. */
export function configOf(config: object): Record<string, unknown> {
  const empty = (value: unknown): boolean => value === null || value === undefined || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)
  return Object.fromEntries(fields.map((field): [string, unknown] => [field, (config as Readonly<Record<string, unknown>>)[field]]).filter(([, value]) => !empty(value)))
}

/** Writes a case's context. */
export function writeContext(within: string, { dockerfile, files = {} }: BuildCase): string {
  const directory = mkdtempSync(join(within, 'context-'))
  chmodSync(directory, 0o755)
  const all: NonNullable<BuildCase['files']> = { ...files, Dockerfile: dockerfile }
  for (const [path, content] of Object.entries(all)) {
    const full = join(directory, path)
    mkdirSync(path.endsWith('/') ? full : join(full, '..'), { recursive: true, mode: 0o755 })
    if (path.endsWith('/')) continue
    writeCaseFile(directory, full, content)
  }
  return directory
}

function writeCaseFile(directory: string, path: string, content: CaseFile): void {
  if (typeof content === 'string') writeWithMode(path, content, 0o644)
  else if ('link' in content) symlinkSync(content.link, path)
  else if ('hardLink' in content) linkSync(join(directory, content.hardLink), path)
  else if ('archive' in content) writeWithMode(path, archive(content.archive, content.xattrs === true), 0o644)
  else writeWithMode(path, content.text ?? '', content.mode)
}

function writeWithMode(path: string, content: string | Buffer, mode: number): void {
  writeFileSync(path, content)
  chmodSync(path, mode)
}

/** An archive of files of several owners, modes and kinds. @param compression a program that compresses; empty for none @param xattrs with attributes, of Linux's own, too */
function archive(compression: string, xattrs: boolean): Buffer {
  const place = mkdtempSync(join(tmpdir(), 'case-archive-'))
  try {
    mkdirSync(join(place, 'sub'))
    chmodSync(join(place, 'sub'), 0o750)
    writeWithMode(join(place, 'x'), 'of the archive\n', 0o640)
    writeWithMode(join(place, 'sub/y'), 'y\n', 0o4755)
    symlinkSync('x', join(place, 'l'))
    linkSync(join(place, 'x'), join(place, 'sub/same'))
    chownSync(join(place, 'x'), 3, 4)
    if (xattrs) {
      setXattr(join(place, 'sub/y'), 'security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex'))
      for (const name of ['x', 'sub']) setXattr(join(place, name), 'user.note', Buffer.from('kept'))
    }
    const names = ['x', 'l', 'sub', 'sub/y', 'sub/same']
    const tar = execFileSync('tar', ['-C', place, '--numeric-owner', '--no-recursion', ...(xattrs ? ['--xattrs', '--xattrs-include=*'] : []), '-c', ...names])
    return compression === '' ? tar : execFileSync(compression, ['-c'], { input: tar })
  } finally {
    rmSync(place, { recursive: true })
  }
}
