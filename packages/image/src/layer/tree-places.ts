import { constants } from 'node:fs'
import { mkdirAllInRoot, openChild, openInRoot, O_PATH, type Descriptor } from '@engine/linux/paths'
import type { TarEntry } from './tar/entry.ts'

/** Where a tree writer makes things, when that is not simply a directory: each is the writer's to close. */
export interface TreePlaces {
  /** A directory, with all that is missing above it. */
  makeAll(path: Buffer): Descriptor
  /** A directory that exists; no link at its end is followed. */
  open(path: Buffer, flags: number): Descriptor
  /** A directory in the last one that `makeAll` gave. */
  enter(parentFd: number, name: Buffer): Descriptor
  /** Asked before something that exists is replaced. @throws EngineError */
  beforeReplacing(parentFd: number, name: Buffer, entry: TarEntry): void
}

/** How directories are opened that things are made in. */
export const directoryFlags = O_PATH | constants.O_DIRECTORY

/** A directory and what is below it. @param rootFd its descriptor, which stays the caller's */
export function placesBelow(rootFd: number): TreePlaces {
  return {
    makeAll: (path) => mkdirAllInRoot(rootFd, path, 0o755),
    open: (path, flags) => openInRoot(rootFd, path, flags),
    enter: (parentFd, name) => openChild(parentFd, name, directoryFlags),
    beforeReplacing: () => undefined,
  }
}
