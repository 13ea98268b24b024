import { constants, fstatSync, readlinkSync } from 'node:fs'
import { Errno, failedWith } from '@engine/linux'
import { futimens, rmdirat, unlinkat } from '@engine/linux/file-at'
import { openInRoot, openParent, O_PATH, procPath, reopen } from '@engine/linux/paths'

/** A mount point that a root did not have before something was mounted there. */
export interface Stub {
  /** Components below the root, links resolved, of what is missing and all below it, the topmost first. */
  readonly paths: readonly string[]
}

/**
 * Finds out which mount points will have to be made in a root, so that they can be taken away again.
 * @param rootFd descriptor of the root, which belongs to a container
 */
export function missingMountPoints(rootFd: number, targets: readonly string[]): Stub[] {
  const root = readlinkSync(procPath(rootFd))
  return targets.flatMap((target) => {
    const components = target.split('/').filter((part) => part !== '' && part !== '.')
    let above = ''
    for (const [index, component] of components.entries()) {
      try {
        using found = openInRoot(rootFd, `${above}/${component}`, O_PATH)
        above = readlinkSync(procPath(found.fd)).slice(root.length)
      } catch (error) {
        if (!failedWith(error, Errno.ENOENT)) return []
        const paths = components.slice(index).map((_, more) => [above, ...components.slice(index, index + more + 1)].join('/'))
        return [{ paths }]
      }
    }
    return []
  })
}

/**
 * Takes mount points away that were made and that nothing was put into: the layer of a step has no trace of its mounts. The directory
 * above keeps its time. Never follows a link: what the step has put in a mount point's place stays (CVE-2024-23652).
 */
export function removeMountPoints(rootFd: number, stubs: readonly Stub[]): void {
  for (const { paths } of stubs) {
    for (const path of paths.toReversed()) {
      try {
        if (!removeEmpty(rootFd, path)) break
      } catch (error) {
        if (!failedWith(error, Errno.ENOENT, Errno.ENOTEMPTY, Errno.ENOTDIR, Errno.EEXIST, Errno.ELOOP)) throw error
        break
      }
    }
  }
}

function removeEmpty(rootFd: number, path: string): boolean {
  using parent = openParent(rootFd, path)
  const { atimeNs, mtimeNs } = fstatSync(parent.directory.fd, { bigint: true })
  using found = openInRoot(parent.directory.fd, parent.name, O_PATH | constants.O_NOFOLLOW)
  const stat = fstatSync(found.fd)
  if (stat.isDirectory()) rmdirat(parent.directory.fd, parent.name)
  else if (stat.isFile() && stat.size === 0) unlinkat(parent.directory.fd, parent.name)
  else return false
  using directory = reopen(parent.directory.fd, constants.O_RDONLY | constants.O_DIRECTORY)
  futimens(directory.fd, atimeNs, mtimeNs)
  return true
}
