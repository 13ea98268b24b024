import { EngineError, Errno, failedWith } from '@engine/linux'
import { readFileInRoot } from '@engine/linux/paths'
import type { Owner } from './destination.ts'

/** Largest /etc/passwd and /etc/group that are read (CVE-2026-47262). */
const maxBytes = 1 << 20

/**
 * Reads `--chown` (and USER): `user`, `user:group`, `1000:50`; names by the image's /etc/passwd and /etc/group. A number is always a
 * number. Without a group a user that is named has its own of /etc/passwd, a number the group of the same number, as BuildKit has it.
 * @throws EngineError invalid-argument with Docker's texts
 */
export function parseOwner(chown: string, rootFd: number): Owner {
  const failed = 'unable to convert uid/gid chown string to host mapping'
  const [user = '', group, ...more] = chown.split(':')
  if (more.length > 0) throw new EngineError('invalid-argument', `${failed}: invalid chown string format: ${chown}`)
  // `:group` is root's.
  const number = user === '' && group !== undefined ? 0 : numeric(user)
  const found = number === undefined ? find(rootFd, 'etc/passwd', user) : { id: number, group: number }
  if (found === undefined) throw new EngineError('invalid-argument', `${failed}: can't find uid for user ${user}: no such user: ${user}`)
  if (group === undefined || group === '') return { uid: found.id, gid: found.group ?? found.id }
  const gid = numeric(group) ?? find(rootFd, 'etc/group', group)?.id
  if (gid === undefined) throw new EngineError('invalid-argument', `${failed}: can't find gid for group ${group}: no such group: ${group}`)
  return { uid: found.id, gid }
}

function numeric(text: string): number | undefined {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : undefined
  // 2^32-1 would mean "leave it" to chown(2).
  return id !== undefined && id < 2 ** 32 - 1 ? id : undefined
}

/** The number of a name, which is the third field of both files, and of a user its group's, the fourth. */
function find(rootFd: number, path: string, name: string): { readonly id: number; readonly group: number | undefined } | undefined {
  let text: string
  try {
    text = readFileInRoot(rootFd, path, maxBytes).toString('utf8')
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) return undefined
    throw error
  }
  for (const line of text.split('\n')) {
    const [entry, , id = '', group = ''] = line.trim().split(':')
    const number = numeric(id)
    if (entry === name && name !== '' && number !== undefined) return { id: number, group: numeric(group) }
  }
  return undefined
}
