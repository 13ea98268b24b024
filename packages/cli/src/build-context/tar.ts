const BLOCK = 512

/** What a tar header says of one file. */
export interface TarEntry {
  /** Relative, `/` between names; a directory's ends in `/`. */
  readonly path: string
  readonly type: 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo'
  /** Permission bits. */
  readonly mode: number
  /** Bytes of content that follow the header. */
  readonly size: number
  /** Whole seconds since the epoch. */
  readonly modified: number
  readonly linkTarget?: string
  /** Without it, root. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  readonly device?: { readonly major: number; readonly minor: number }
  /** Extended attributes, by names with their namespace. */
  readonly xattrs?: readonly (readonly [name: string, value: Buffer])[]
}

const types: Readonly<Record<TarEntry['type'], string>> = {
  file: '0', hardlink: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6',
}

/**
 * The header of an entry in the ustar format of POSIX.1-1988, with a PAX header of POSIX.1-2001 before it for what does not fit: long or
 * non-ASCII names, sizes from 8 GiB, large ids, extended attributes.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const records: [string, string | Buffer][] = []
  if (!fits(entry.path, 100)) records.push(['path', entry.path])
  if (entry.linkTarget !== undefined && !fits(entry.linkTarget, 100)) records.push(['linkpath', entry.linkTarget])
  if (entry.size >= 8 ** 11) records.push(['size', String(entry.size)])
  for (const [key, id] of [['uid', entry.owner?.uid], ['gid', entry.owner?.gid]] as const) if (id !== undefined && id >= 8 ** 7) records.push([key, String(id)])
  // As libarchive and GNU tar write them.
  for (const [name, value] of entry.xattrs ?? []) records.push([`SCHILY.xattr.${name}`, value])
  const header = block(entry, types[entry.type])
  if (records.length === 0) return header
  const body = Buffer.concat(records.map(paxRecord))
  const pax: TarEntry = { path: `PaxHeaders/${entry.path.slice(0, 80)}`, type: 'file', mode: 0o644, size: body.length, modified: 0 }
  return Buffer.concat([block(pax, 'x'), body, tarPadding(body.length), header])
}

/** Zeros that fill the last block of a content. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
}

/** The two zero blocks that end an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK)
}

function fits(text: string, length: number): boolean {
  return Buffer.byteLength(text) <= length && /^[\x20-\x7e]*$/.test(text)
}

function block(entry: TarEntry, type: string): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(entry.path, 0, 100)
  octal(header, entry.mode, 100, 8)
  const { uid = 0, gid = 0 } = entry.owner ?? {}
  octal(header, uid >= 8 ** 7 ? 0 : uid, 108, 8)
  octal(header, gid >= 8 ** 7 ? 0 : gid, 116, 8)
  octal(header, entry.size >= 8 ** 11 ? 0 : entry.size, 124, 12)
  octal(header, Math.max(0, entry.modified), 136, 12)
  header.write(type, 156)
  header.write(entry.linkTarget ?? '', 157, 100)
  header.write('ustar\u000000', 257)
  octal(header, entry.device?.major ?? 0, 329, 8)
  octal(header, entry.device?.minor ?? 0, 337, 8)
  // The sum is taken with its own field full of spaces.
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function octal(header: Buffer, value: number, at: number, length: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, length)
}

/** `<length> <key>=<value>\n`, the length counting its own digits. */
function paxRecord([key, value]: readonly [string, string | Buffer]): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  const rest = body.length
  let length = rest + String(rest).length
  if (String(length).length !== String(rest).length) length = rest + String(length).length
  return Buffer.concat([Buffer.from(String(length)), body])
}
