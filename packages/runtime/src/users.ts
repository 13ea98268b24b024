import { EngineError, Errno, failedWith } from '@engine/linux'
import { readFileInRoot } from '@engine/linux/paths'
import type { OciUser } from './spec.ts'

/** Sizes beyond which /etc/passwd and /etc/group are refused or a line of them is not read: they are the image's (CVE-2026-47262). */
const fileLimit = 8 * 1024 * 1024
const lineLimit = 64 * 1024
const maxId = 2_147_483_647

/** A container's user with what its environment needs. */
export interface ResolvedUser {
  readonly user: OciUser
  /** For HOME; `/` when nothing says. */
  readonly home: string
}

/** Gives a file of the container's as text; undefined when there is none. */
export type ReadRootFile = (path: string) => string | undefined

/** Reads inside a root by descriptor; a link that leads out of it ends inside it. */
export function rootFileReader(rootFd: number): ReadRootFile {
  return (path) => {
    try {
      return readFileInRoot(rootFd, path, fileLimit).toString('utf8')
    } catch (error) {
      if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) return undefined
      throw error
    }
  }
}

/**
 * Looks a container's user up in its own /etc/passwd and /etc/group, by Docker's rules:
 * the first entry that matches wins; a user without a group brings the groups it is listed in; with a group it brings none.
 * What is a number is a number, and is never looked up as a name (CVE-2026-46680: an entry named `1001` with uid 0).
 * @param root   descriptor of the container's root, or what reads in it
 * @param spec   Docker's `User`: `''`, `user`, `uid`, `user:group`, `:group` …
 * @param groups Docker's `GroupAdd`: names or numbers
 * @throws EngineError not-found or invalid-argument in Docker's words
 */
export function resolveUser(root: number | ReadRootFile, spec: string, groups: readonly string[]): ResolvedUser {
  const read = typeof root === 'number' ? rootFileReader(root) : root
  const [userPart = '', groupPart = ''] = spec.split(':')
  const uidWanted = userPart === '' ? 0 : parseId(userPart)
  const passwd = read('/etc/passwd') ?? ''
  const entry = findUser(passwd, uidWanted ?? userPart)
  if (entry === undefined && uidWanted === undefined) {
    throw new EngineError('invalid-argument', `unable to find user ${userPart}: no matching entries in passwd file`)
  }
  const needsGroups = entry !== undefined || groupPart !== '' || groups.length > 0
  const table = needsGroups ? parseGroups(read('/etc/group') ?? '') : []
  const gid = groupPart === '' ? (entry?.gid ?? 0) : findGroup(table, groupPart)
  const own = groupPart === '' && entry !== undefined ? table.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid) : []
  const added = groups.map((group) => findGroup(table, group))
  return {
    user: { uid: entry?.uid ?? uidWanted ?? 0, gid, additionalGids: [...new Set([...own, ...added])] },
    // By number, not by entry: with two names for one uid the first one's, as runc has it.
    home: (entry === undefined ? undefined : findUser(passwd, entry.uid)?.home) || '/',
  }
}

/** A number within range, or undefined for a name. @throws EngineError for a number out of range */
function parseId(text: string): number | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined
  const id = Number(text)
  if (id < 0 || id > maxId) throw new EngineError('invalid-argument', 'uids and gids must be in range 0-2147483647')
  return id
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

function findUser(passwd: string, wanted: number | string): PasswdEntry | undefined {
  for (const line of lines(passwd)) {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':')
    const entry = { name, uid: fileId(uid), gid: fileId(gid), home }
    if (typeof wanted === 'number' ? entry.uid === wanted : name === wanted) return inRange(entry, entry.uid, entry.gid)
  }
  return undefined
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

function parseGroups(content: string): GroupEntry[] {
  const groups: GroupEntry[] = []
  for (const line of lines(content)) {
    const [name = '', , gid = '', members = ''] = line.split(':')
    groups.push({ name, gid: fileId(gid), members: members.split(',') })
  }
  return groups
}

function findGroup(groups: readonly GroupEntry[], wanted: string): number {
  const id = parseId(wanted)
  if (id !== undefined) return id
  const group = groups.find(({ name }) => name === wanted)
  if (group === undefined) throw new EngineError('invalid-argument', `unable to find group ${wanted}: no matching entries in group file`)
  return inRange(group, group.gid).gid
}

/** What a line says as an id; 0 for what is no number, as Docker's parser has it. */
function fileId(text: string): number {
  return /^[+-]?[0-9]+$/.test(text) ? Number(text) : 0
}

function inRange<T>(entry: T, ...ids: readonly number[]): T {
  if (ids.some((id) => id < 0 || id > maxId)) throw new EngineError('invalid-argument', 'uids and gids must be in range 0-2147483647')
  return entry
}

/** Lines that are entries: not empty, not absurdly long. passwd(5) has no comments: `#root` is a name like another. */
function lines(content: string): string[] {
  return content
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line.length <= lineLimit)
}
