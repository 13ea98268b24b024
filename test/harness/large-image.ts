import { execFileSync } from 'node:child_process'
import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { endOfArchive, newEntry, padding, writeEntry, type TarEntry } from '@engine/image'

/** How large an image is to be, at most. */
export interface LargeImage {
  readonly layers: number
  readonly files: number
  readonly bytes: number
}

/**
 * Files, directories and links of this machine's /usr, shared among layers in the order in which find(1) lists them. What they are
 * differs from machine to machine.
 */
export function filesOfLayers({ layers, files, bytes }: LargeImage): { readonly layers: readonly (readonly string[])[]; readonly files: number; readonly bytes: number } {
  const found = execFileSync('find', ['/usr/bin', '/usr/share', '/usr/lib', '-xdev', '(', '-type', 'f', '-o', '-type', 'd', '-o', '-type', 'l', ')', '-size', '-8000k', '-printf', '%s %p\\0'], { maxBuffer: 1 << 28 })
  const taken: string[] = []
  let total = 0
  for (const line of found.toString().split('\0')) {
    if (taken.length >= files || total >= bytes) break
    const [size = '0', path = ''] = line.split(/ (.*)/s)
    taken.push(path)
    total += Number(size)
  }
  const share = Math.ceil(taken.length / layers)
  return { layers: Array.from({ length: layers }, (_, i) => taken.slice(i * share, (i + 1) * share)), files: taken.length, bytes: total }
}

/** GNU tar's archive of these paths, and of nothing below them. @param options more of tar's options */
export function tarOfPaths(paths: readonly string[], options: readonly string[] = []): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'engine-paths-'))
  try {
    writeFileSync(join(directory, 'list'), paths.join('\0'))
    return execFileSync('tar', [...options, '--null', '--no-recursion', '-T', join(directory, 'list'), '-cf', '-', '--numeric-owner'], { maxBuffer: 1 << 29, stdio: ['ignore', 'pipe', 'ignore'] })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The tars of an image, and the same with a sparse file in the topmost one: that one Docker and Podman unpack, but cannot save again. */
export interface HostileLayers {
  readonly dense: readonly Buffer[]
  readonly sparse: readonly Buffer[]
}

/**
 * The tars of an image that is hard to carry: each layer has files of /usr with all directories above them, as GNU tar writes them with
 * PAX headers, small ones where /usr has not enough, and some of everything that a layer may hold. No layer depends on how an engine makes a directory that no entry names.
 */
export function hostileLayers(size: LargeImage): HostileLayers {
  const found = filesOfLayers(size)
  const more = Math.ceil((size.files - found.files) / size.layers)
  const pieces = found.layers.map((paths, layer) => {
    const above = new Set(paths.flatMap((path) => ancestors(path)))
    const listed = [...above, ...paths.filter((path) => !above.has(path))]
    const usr = tarOfPaths(listed, ['--format=posix', '--pax-option=exthdr.name=%d/pax/%f,delete=atime,delete=ctime', '--xattrs', '--xattrs-include=security.capability'])
    const own = [...common(layer), ...changes(layer), ...many(layer, more)]
    return [...own.flatMap(([entry, content = Buffer.alloc(0)]) => [writeEntry({ ...entry, size: content.length }), content, padding(content.length)]), withoutEnd(usr), endOfArchive]
  })
  const dense = pieces.map((layer) => Buffer.concat(layer))
  return { dense, sparse: [...dense.slice(0, -1), Buffer.concat([sparseFile(), ...(pieces.at(-1) ?? [])])] }
}

/** The directories above a path, outermost first. */
function ancestors(path: string): string[] {
  const above: string[] = []
  for (let at = dirname(path); at !== '/'; at = dirname(at)) above.unshift(at)
  return above
}

type Item = readonly [entry: TarEntry, content?: Buffer]

const capability = new Map([['security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex')]])
/** Not with an empty value: Podman leaves such out. */
const notes = new Map([['user.note', Buffer.from([0, 255, 128, 10, 61])]])

/** What every layer has, in a directory of its own. */
function common(layer: number): Item[] {
  const time = 1_700_000_000_123_456_789n + BigInt(layer)
  const at = (name: string): string => `hostile/${layer}/${name}`
  const link = (name: string): { readonly linkPath: Buffer } => ({ linkPath: Buffer.from(at(name)) })
  const long = 'long-'.repeat(50)
  const large = { uid: 2 ** 21 + 5 + layer, gid: 4_000_000_000 }
  const capable = { mode: 0o755, uid: 7, gid: 8, mtime: time, xattrs: capability }
  return [
    [newEntry('directory', './', { mode: 0o755, mtime: 1_600_000_000_000_000_001n })],
    [newEntry('directory', 'hostile/', { mode: 0o755, mtime: time })],
    [newEntry('directory', `hostile/${layer}/`, { mode: 0o2775, uid: 3, gid: 4, mtime: time, xattrs: notes })],
    [newEntry('file', at('file'), { mode: 0o4711, ...large, mtime: time, xattrs: notes }), Buffer.from(`content of ${layer}`)],
    [newEntry('hardlink', at('file-again'), { mode: 0o4711, ...large, mtime: time, xattrs: notes, ...link('file') })],
    [newEntry('file', at('changed'), { mode: 0o600, uid: 1, gid: 1, mtime: time }), Buffer.from('its last entry counts')],
    [newEntry('hardlink', at('changed-again'), { mode: 0o2750, ...large, mtime: time + 5n, xattrs: notes, ...link('changed') })],
    [newEntry('file', at('capable'), capable), Buffer.from('#!/bin/true\n')],
    [newEntry('hardlink', at('capable-again'), { ...capable, ...link('capable') })],
    [newEntry('symlink', at('absolute'), { mode: 0o777, uid: 5, mtime: time, linkPath: Buffer.from('/etc/passwd') })],
    [newEntry('symlink', at('dangling'), { mode: 0o777, mtime: time, linkPath: Buffer.from(`../${'x/'.repeat(90)}nothing`) })],
    [newEntry('hardlink', at('absolute-again'), { mode: 0o777, uid: 5, mtime: time, ...link('absolute') })],
    [newEntry('fifo', at('fifo'), { mode: 0o622, ...large, mtime: time })],
    [newEntry('hardlink', at('fifo-again'), { mode: 0o622, ...large, mtime: time, ...link('fifo') })],
    [newEntry('char', at('null'), { mode: 0o666, mtime: time, deviceMajor: 1, deviceMinor: 3 })],
    [newEntry('block', at('disk'), { mode: 0o660, gid: 6, mtime: time, deviceMajor: 259, deviceMinor: 300_000 })],
    [newEntry('file', at('empty'), { mode: 0, mtime: time })],
    [newEntry('file', at('epoch'), { mode: 0o644, mtime: 0n })],
    [newEntry('directory', `${at('sticky')}/`, { mode: 0o1777, mtime: time })],
    [newEntry('directory', `${at('nobody')}/`, { mode: 0, uid: 65534, gid: 65534, mtime: time })],
    [newEntry('file', at(long), { mode: 0o644, mtime: time }), Buffer.from('a long name')],
    [newEntry('directory', `${at(`${long}d`)}/`, { mode: 0o755, mtime: time })],
    [newEntry('file', at(`${long}d/${long}`), { mode: 0o644, mtime: time }), Buffer.from('a long path')],
    [newEntry('symlink', at(`${long}s`), { mode: 0o777, mtime: time, linkPath: Buffer.from(long) })],
    [newEntry('file', at('ünïcode ☃ \n"\\'), { mode: 0o644, mtime: time }), Buffer.from('an odd name')],
  ]
}

/** So many small files. */
function many(layer: number, count: number): Item[] {
  const files = Array.from({ length: Math.max(0, count) }, (_, i): Item => {
    const entry = newEntry('file', `hostile/${layer}/many/${i % 50}/${i}`, { mode: 0o600 | (i & 0o77), uid: i, gid: layer, mtime: 1_500_000_000_000_000_000n + BigInt(i * 1_000_003) })
    return [entry, Buffer.from(`${layer} ${i} `.repeat(i % 300))]
  })
  const directories = ['', ...Array.from({ length: 50 }, (_, i) => `${i}/`)]
  return [...directories.map((name): Item => [newEntry('directory', `hostile/${layer}/many/${name}`, { mode: 0o755, mtime: 1_500_000_000_000_000_009n })]), ...files]
}

/** What a layer takes away from those below, replaces, or puts back. */
function changes(layer: number): Item[] {
  const time = 1_650_000_000_000_000_001n + BigInt(layer)
  const file = (name: string, content: string): Item => [newEntry('file', `hostile/${name}`, { mode: 0o644, mtime: time }), Buffer.from(content)]
  const directory = (name: string): Item => [newEntry('directory', `hostile/${name}/`, { mode: 0o755, mtime: time })]
  const hard = (name: string, target: string): Item => [newEntry('hardlink', `hostile/${name}`, { mode: 0o644, mtime: time, linkPath: Buffer.from(`hostile/${target}`) })]
  const whiteout = (name: string): Item => [newEntry('file', `hostile/${name}`, { mode: 0, mtime: time })]
  switch (layer) {
    case 0:
      return [
        file('gone', 'x'), directory('gone-directory'), file('gone-directory/a', 'x'), directory('opaque'), file('opaque/old', 'x'),
        file('pair-a', 'a pair'), hard('pair-b', 'pair-a'), file('trio-a', 'a trio'), hard('trio-b', 'trio-a'), file('becomes-directory', 'x'),
        directory('becomes-file'), file('becomes-file/a', 'x'), directory('merged'), file('merged/lower', 'x'),
      ]
    case 1:
      return [whiteout('.wh.gone'), whiteout('.wh.gone-directory')]
    case 2:
      return [directory('opaque'), whiteout('opaque/.wh..wh..opq'), file('opaque/new', 'x')]
    case 3:
      return [file('pair-a', 'alone now')]
    case 4:
      return [file('trio-b', 'a new trio'), hard('trio-a', 'trio-b'), hard('trio-c', 'trio-a')]
    case 5:
      return [whiteout('.wh.becomes-directory'), directory('becomes-directory'), file('becomes-directory/a', 'x'), file('becomes-file', 'x')]
    case 6:
      return [[newEntry('symlink', 'hostile/gone', { mode: 0o777, mtime: time, linkPath: Buffer.from('merged') })], directory('merged'), file('merged/upper', 'x')]
    case 7:
      return [directory('merged'), whiteout('merged/.wh.lower'), [newEntry('directory', 'hostile/gone-directory/', { mode: 0o711, uid: 9, mtime: time })]]
    default:
      return []
  }
}

/** A sparse file as GNU tar writes it with PAX headers; Docker and Podman read none of its older format. */
function sparseFile(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'engine-sparse-'))
  try {
    const file = join(directory, 'sparse')
    execFileSync('sh', ['-c', 'printf beginning > "$1"; truncate -s 6M "$1"; printf end >> "$1"; touch -d @1500000000 "$1"', 'sh', file])
    if (lstatSync(file).blocks > 100) throw new Error(`the file system of ${directory} has no sparse files`)
    return withoutEnd(execFileSync('tar', ['-S', '--format=posix', '--pax-option=delete=atime,delete=ctime', '--numeric-owner', '-C', directory, '--transform=s,^,hostile/,', '-cf', '-', 'sparse']))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** An archive without the blocks of zeros at its end. */
function withoutEnd(tar: Buffer): Buffer {
  let end = tar.length
  while (end >= 512 && tar.subarray(end - 512, end).equals(zeros)) end -= 512
  return tar.subarray(0, end)
}

const zeros = Buffer.alloc(512)
