import { Errno, failedWith } from '@engine/linux'
import { AT_FDCWD } from '@engine/linux/at-flags'
import type { IdMappings } from '@engine/linux/id-mappings'
import { openat2 } from '@engine/linux/openat2'
import { openBeneath, openRoot, O_PATH, type Descriptor } from '@engine/linux/paths'

/** What a container has mounted over its root: data, for a worker. */
export interface ViewMount {
  /** Absolute, in the container. */
  readonly destination: string
  /** Path on the host: engine's own, or what the user bound. */
  readonly source: string
  /** Something in it, which is hostile: resolved below the source (CVE-2017-1002101). */
  readonly subpath?: string | undefined
  readonly readOnly: boolean
}

/** A container's files as the container sees them. */
export interface ViewSpec {
  /** Path of its root file system, mounted. */
  readonly root: string
  readonly mounts: readonly ViewMount[]
  readonly readOnlyRoot: boolean
  /** What the container's ids are on the host, in its root as in its volumes and binds; left out when they are the same. */
  readonly ids?: IdMappings | undefined
}

/** Opens a mount's source, O_PATH; undefined when there is none. */
export function openSource({ source, subpath }: ViewMount): Descriptor | undefined {
  try {
    if (subpath === undefined) return openat2(AT_FDCWD, source, O_PATH, 0)
    using root = openRoot(source)
    return openBeneath(root.fd, subpath, O_PATH)
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) return undefined
    throw error
  }
}
