import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defaultLimits, TarReader, type TarEntry } from '@engine/image'
import type { BuildCase } from './cases.ts'

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
    if (typeof content === 'object' && 'link' in content) symlinkSync(content.link, full)
    else {
      writeFileSync(full, typeof content === 'string' ? content : content.text ?? '')
      chmodSync(full, typeof content === 'string' ? 0o644 : content.mode)
    }
  }
  return directory
}
