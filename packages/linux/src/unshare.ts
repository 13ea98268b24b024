import { stat } from 'node:fs/promises'
import { CloneFlag, shownFlags } from './clone-flags.ts'
import { door } from './door.ts'
import { libc } from './libc.ts'
import { inWindow, openNamespace } from './setns.ts'

const unshareCall = libc.func('int unshare(int flags)')

/**
 * unshare(2): puts the calling thread into new namespaces of these kinds, for good.
 * @param flags of {@link CloneFlag}, or-ed
 * @throws SyscallError
 */
export function unshare(flags: number): void {
  door('unshare', () => ({ flags: shownFlags(flags) }), () => Number(unshareCall(flags)))
}

/**
 * Runs `work` on this thread inside a new network namespace and comes back, whatever happens. `work` is synchronous; what it
 * keeps open (a bind mount, a socket, a descriptor of the namespace) keeps the namespace alive. Threads that are made
 * meanwhile would stay in that namespace for ever, so {@link primeThreads} must have been awaited before.
 */
export function inNewNetworkNamespace<T>(work: () => T): T {
  using home = openNamespace('net')
  return inWindow(home, CloneFlag.NEWNET, () => unshare(CloneFlag.NEWNET), work)
}

let primed: Promise<void> | undefined

/**
 * Has libuv make the threads of its pool now. It makes them all at the first asynchronous file access; if that came inside a
 * namespace window, they would stay in the wrong namespace for as long as the process lives.
 */
export function primeThreads(): Promise<void> {
  primed ??= stat('/').then(() => undefined)
  return primed
}
