import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { tarFile } from '../build-context/directory.ts'
import { tarEnd } from '../build-context/tar.ts'

/**
 * A file or directory as a tar, piece by piece.
 * @param source its path
 * @param name   what it is called in the archive; `.` for a directory's contents
 */
export function* pack(source: string, name: string): Generator<Buffer> {
  yield* packOne(source, name, lstatSync(source), new Map())
  yield tarEnd()
}

function* packOne(full: string, name: string, stats: Stats, seen: Map<string, string>): Generator<Buffer> {
  yield* tarFile(full, name, stats, { seen, owner: { uid: stats.uid, gid: stats.gid } })
  if (!stats.isDirectory()) return
  for (const child of readdirSync(full).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    yield* packOne(join(full, child), `${name}/${child}`, lstatSync(join(full, child)), seen)
  }
}
