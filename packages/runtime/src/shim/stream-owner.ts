import { processIdMappings, toHostId } from '@engine/linux/id-mappings'
import type { OciProcess, OciSpec } from '../spec.ts'

/** The host's id of the user of a container's first process, to whom its streams are given. An id that has none cannot become a process either. */
export function ownerOf({ linux, process: { user } }: OciSpec): number {
  return linux.uidMappings === undefined ? user.uid : (toHostId(linux.uidMappings, user.uid) ?? user.uid)
}

/** The same for one more process of a container, whose mappings the kernel knows. @param pid of a container that may have ended: that is said elsewhere */
export function ownerInContainer(pid: number, { user }: OciProcess): number {
  try {
    return toHostId(processIdMappings(pid).uids, user.uid) ?? user.uid
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return user.uid
    throw error
  }
}
