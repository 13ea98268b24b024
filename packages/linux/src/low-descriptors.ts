import { closeSync, openSync, readlinkSync } from 'node:fs'

/** FD_SETSIZE: select(2) knows no higher descriptors, and glibc ends a process that puts one into a set (fd_set(3)). */
const limit = 1024
/** How many are kept: other threads open files meanwhile, and may be quicker. */
const kept = 8
const attempts = 10

const reserve: number[] = []

/** Keeps a few low descriptors, as long as there are some: call it early, and when one has become free. */
export function reserveLowDescriptors(): void {
  while (reserve.length < kept) {
    const fd = openSync('/dev/null', 'r')
    if (fd >= limit) {
      closeSync(fd)
      return
    }
    reserve.push(fd)
  }
}

/**
 * Has something made that opens a socket and waits for it by select(2), as libnftables does: the socket gets a descriptor that was
 * kept for it, however many others are open.
 * @param make opens the socket as the first thing, on this thread; null when it could not
 * @param discard ends one whose descriptor is too high
 * @returns undefined when no low descriptor is to be had
 */
export function withLowDescriptor<T>(make: () => T | null, discard: (made: T) => void): T | null | undefined {
  for (let attempt = 0; attempt < attempts; attempt++) {
    for (const fd of reserve.splice(0)) closeSync(fd)
    const next = openSync('/dev/null', 'r')
    closeSync(next)
    const made = make()
    reserveLowDescriptors()
    // Another thread's file may have come between.
    if (made === null || (next < limit && isSocket(next))) return made
    discard(made)
  }
  return undefined
}

function isSocket(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false
  }
}
