import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { AT_EMPTY_PATH, OPEN_TREE_CLONE, fsconfig, fsmount, fsopen, moveMount, openTree, MountAttribute } from '@engine/linux/mount-api'
import { AT_FDCWD } from '@engine/linux/at-flags'
import { openat2 } from '@engine/linux/openat2'
import { O_PATH, openBeneath, openRoot, type Descriptor } from '@engine/linux/paths'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import type { EngineContext } from '../context.ts'
import type { ContainerPaths } from '../paths.ts'
import type { Container } from './container.ts'

/**
 * Prepares the host's side of a container's mounts: directories that binds name and that are missing, volumes, and directories
 * inside volumes.
 * @returns host paths by destination, where they are not the mount's own source
 */
export function prepareMounts(engine: EngineContext, container: Container, paths: ContainerPaths): Map<string, string> {
  const sources = new Map<string, string>()
  for (const [index, mount] of container.record.mounts.entries()) {
    const { point } = mount
    if (point.Type === 'bind') {
      makeSource(point.Source, mount.createSource === true)
    } else if (point.Type === 'volume' || point.Type === 'image') {
      const directory = point.Type === 'image' ? point.Source : engine.volumes.mountpoint(point.Name as string)
      sources.set(point.Destination, mount.subpath === undefined ? directory : mountSubpath(directory, mount.subpath, join(paths.subpaths, String(index))))
    }
  }
  return sources
}

/** Names of the volumes that a container has. */
export function volumeNames({ record }: Container): string[] {
  return [...new Set(record.mounts.flatMap(({ point }) => (point.Type === 'volume' && point.Name !== undefined ? [point.Name] : [])))]
}

function makeSource(path: string, create: boolean): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return
  if (!create) throw new EngineError('invalid-argument', `invalid mount config for type "bind": bind source path does not exist: ${path}`)
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (cause) {
    throw new EngineError('internal', `error while creating mount source path '${path}': mkdir ${path}: ${cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)}`, { cause })
  }
}

/**
 * Binds a directory or file of a volume or image to a path of ours, resolved below the volume by descriptor: what is in a volume is a container's
 * (CVE-2017-1002101).
 */
function mountSubpath(volume: string, subpath: string, target: string): string {
  using root = openRoot(volume)
  try {
    using found = openBeneath(root.fd, subpath, O_PATH)
    using place = makePlace(target, fstatSync(found.fd).isDirectory())
    const tree = openTree(found.fd, '', OPEN_TREE_CLONE | AT_EMPTY_PATH)
    try {
      moveMount(tree, place.fd)
    } finally {
      closeSync(tree)
    }
  } catch (error) {
    if (failedWith(error, Errno.ENOTDIR)) {
      throw new EngineError('invalid-argument', `error while resolving symlinks in combined path ${JSON.stringify(`${volume}/${subpath}`)}: not a directory`, { cause: error })
    }
    if (failedWith(error, Errno.ENOENT)) {
      throw new EngineError('not-found', `cannot access path ${volume}/${subpath}: lstat ${volume}/${subpath}: no such file or directory`, { cause: error })
    }
    if (failedWith(error, Errno.EXDEV, Errno.ELOOP)) throw new EngineError('invalid-argument', `path concatenation escapes the base directory, base: ${volume}, subpath: ${subpath}`, { cause: error })
    throw error
  }
  return target
}

/** A directory or a file of ours to mount on. */
function makePlace(target: string, isDirectory: boolean): Descriptor {
  mkdirSync(isDirectory ? target : dirname(target), { recursive: true, mode: 0o700 })
  if (isDirectory) return openRoot(target)
  closeSync(openSync(target, 'w', 0o600))
  return openat2(AT_FDCWD, target, O_PATH, 0)
}

/** Mounts the /dev/shm of a container whose IPC namespace others may join. @param root host's ids of the container's root */
export function mountSharedMemory(paths: ContainerPaths, bytes: number, root: { readonly uid: number; readonly gid: number }): void {
  mkdirSync(paths.shm, { recursive: true, mode: 0o700 })
  using place = openRoot(paths.shm)
  const context = fsopen('tmpfs')
  try {
    fsconfig(context, 'source', 'shm')
    fsconfig(context, 'size', String(bytes))
    fsconfig(context, 'mode', '1777')
    for (const [key, id] of Object.entries(root)) fsconfig(context, key, String(id))
    const mount = fsmount(context, MountAttribute.NOSUID | MountAttribute.NODEV | MountAttribute.NOEXEC)
    try {
      moveMount(mount, place.fd)
    } finally {
      closeSync(mount)
    }
  } finally {
    closeSync(context)
  }
}

/** Takes away what the two above mounted, and the container's directory below the exec root. Nothing happens when it is gone. */
export function removeRunDirectory(paths: ContainerPaths): void {
  // Mostly it is empty: the shim has taken its FIFOs away.
  if (removedEmpty(paths.run)) return
  for (const path of [paths.shm, ...children(paths.subpaths)]) {
    while (unmount(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  }
  rmSync(paths.run, { recursive: true, force: true })
}

function removedEmpty(directory: string): boolean {
  try {
    rmdirSync(directory)
    return true
  } catch {
    return false
  }
}

function children(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => join(directory, name))
  } catch {
    return []
  }
}
