import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { toHostId, type IdMappings } from '@engine/linux/id-mappings'
import { mappingsOf, readRanges, reserveRange } from './subordinate-ids.ts'

/** The user whose ranges are taken with `default`; Docker's, so that a host that was set up for Docker keeps them. */
export const defaultRemapUser = 'dockremap'

/** The ids that containers have on the host, by the daemon's configuration. */
export interface Remap {
  readonly mappings: IdMappings
  /** Host's ids of the containers' root. */
  readonly root: { readonly uid: number; readonly gid: number }
}

/** Where users and their ranges are found. */
export interface IdFiles {
  readonly passwd: string
  readonly group: string
  readonly subuid: string
  readonly subgid: string
}

const hostFiles: IdFiles = { passwd: '/etc/passwd', group: '/etc/group', subuid: '/etc/subuid', subgid: '/etc/subgid' }

interface Named {
  readonly name: string
  readonly id: number
}

/**
 * Reads the key `userns-remap`: `default`, `name`, `name:group`, `uid` or `uid:gid`. Whom it names must be a user of the host and have
 * ranges in /etc/subuid and /etc/subgid. `default` is the user dockremap; as its name is all that is needed of it, no such user is
 * made, only ranges are reserved in its name when it has none.
 * @returns undefined for '': containers have the host's ids
 * @throws EngineError invalid-argument that says what is missing where
 */
export function resolveRemap(spec: string, files: IdFiles = hostFiles): Remap | undefined {
  if (spec === '') return undefined
  const parts = spec.split(':')
  if (parts.length > 2 || parts.includes('')) throw new EngineError('invalid-argument', `invalid user/group specification in --userns-remap: ${JSON.stringify(spec)}`)
  const [user, group] = spec === 'default' ? reserved(files) : named(parts, files)
  if (user.id === 0 || group.id === 0) throw new EngineError('invalid-argument', `--userns-remap ${spec}: the host's root cannot be who containers' users are mapped to`)
  const who = (one: Named): string[] => [one.name, ...(one.id > 0 ? [String(one.id)] : [])]
  const mappings = {
    uids: mappingsOf(readRanges(files.subuid), who(user), { what: 'subuid', who: user.name, file: files.subuid }),
    gids: mappingsOf(readRanges(files.subgid), who(group), { what: 'subgid', who: group.name, file: files.subgid }),
  }
  return { mappings, root: { uid: toHostId(mappings.uids, 0) as number, gid: toHostId(mappings.gids, 0) as number } }
}

/** No id is known of a user that need not exist. */
const unknownId = -1

function reserved(files: IdFiles): [Named, Named] {
  reserveRange(defaultRemapUser, files)
  const default_ = { name: defaultRemapUser, id: unknownId }
  return [default_, default_]
}

function named([userPart = '', groupPart]: readonly string[], files: IdFiles): [Named, Named] {
  const user = find(files.passwd, userPart)
  if (user === undefined) throw missing('uid', userPart, files.passwd)
  // As Docker: without a group the one of the user's name, or of the user's number if that was given.
  const wanted = groupPart ?? (isNumber(userPart) ? String(user.id) : user.name)
  const group = find(files.group, wanted)
  if (group === undefined) throw missing('gid', wanted, files.group)
  return [user, group]
}

function missing(what: 'uid' | 'gid', given: string, file: string): EngineError {
  return new EngineError('invalid-argument', isNumber(given) ? `${what} ${given} has no entry in ${file}` : `error during ${what} lookup for ${JSON.stringify(given)}: no such name in ${file}`)
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text)
}

/** A line of passwd(5) or group(5): name first, id third. */
function find(file: string, given: string): Named | undefined {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [name = '', , id = ''] = line.split(':')
    if (isNumber(id) && (isNumber(given) ? Number(id) === Number(given) : name === given)) return { name, id: Number(id) }
  }
  return undefined
}

/** Whom on the host something is given to that a container's user is to have; root's where that one has no id there. */
export function hostOwner(remap: Remap | undefined, { uid, gid }: { readonly uid: number; readonly gid: number }): { readonly uid: number; readonly gid: number } {
  if (remap === undefined) return { uid, gid }
  return { uid: toHostId(remap.mappings.uids, uid) ?? remap.root.uid, gid: toHostId(remap.mappings.gids, gid) ?? remap.root.gid }
}
