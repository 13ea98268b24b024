import { constants } from 'node:fs'

const { S_IFMT, S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } = constants

/** Bits of Go's os.FileMode, which the API has in place of st_mode. */
const ModeDir = 2 ** 31
const ModeSymlink = 2 ** 27
const ModeDevice = 2 ** 26
const ModeNamedPipe = 2 ** 25
const ModeSocket = 2 ** 24
const ModeSetuid = 2 ** 23
const ModeSetgid = 2 ** 22
const ModeCharDevice = 2 ** 21
const ModeSticky = 2 ** 20

const types: ReadonlyMap<number, number> = new Map([
  [S_IFDIR, ModeDir],
  [S_IFLNK, ModeSymlink],
  [S_IFBLK, ModeDevice],
  [S_IFCHR, ModeDevice + ModeCharDevice],
  [S_IFIFO, ModeNamedPipe],
  [S_IFSOCK, ModeSocket],
])

/** st_mode as Go's os.FileMode. */
export function goFileMode(mode: number): number {
  const special = (mode & 0o4000 ? ModeSetuid : 0) + (mode & 0o2000 ? ModeSetgid : 0) + (mode & 0o1000 ? ModeSticky : 0)
  return (mode & 0o777) + special + (types.get(mode & S_IFMT) ?? 0)
}
