import { readFileSync } from 'node:fs'

/** A range of ids of a user namespace and what they are outside of it; as the OCI runtime spec writes it. */
export interface IdMapping {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

/** What a user namespace's ids are outside of it (user_namespaces(7), "User and group ID mappings"). */
export interface IdMappings {
  readonly uids: readonly IdMapping[]
  readonly gids: readonly IdMapping[]
}

/** What an id that has no mapping is seen as: /proc/sys/kernel/overflowuid, which nobody changes. */
export const overflowId = 65534

/** The host's id of one in the namespace; undefined when it has none. */
export function toHostId(mappings: readonly IdMapping[], id: number): number | undefined {
  const found = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size)
  return found === undefined ? undefined : found.hostID + (id - found.containerID)
}

/** The namespace's id of one of the host's, as a process in it sees it: {@link overflowId} when it has none. */
export function toNamespaceId(mappings: readonly IdMapping[], id: number): number {
  const found = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size)
  return found === undefined ? overflowId : found.containerID + (id - found.hostID)
}

/** Takes /proc/<pid>/uid_map apart. */
export function parseIdMap(text: string): IdMapping[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/\s+/).map(Number)
      return { containerID, hostID, size }
    })
}

/** How /proc/<pid>/uid_map wants to be told. */
export function writeIdMap(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}

/**
 * The mappings of the user namespace that a process is in, towards that of this process.
 * @param pid `self` for this process's own
 * @throws Error ENOENT when there is no such process
 */
export function processIdMappings(pid: number | 'self'): IdMappings {
  return { uids: parseIdMap(readFileSync(`/proc/${pid}/uid_map`, 'latin1')), gids: parseIdMap(readFileSync(`/proc/${pid}/gid_map`, 'latin1')) }
}
