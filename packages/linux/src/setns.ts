import { constants, openSync, writeSync } from 'node:fs'
import { types } from 'node:util'
import { CloneFlag, shownFlags } from './clone-flags.ts'
import { Descriptor } from './descriptor.ts'
import { door } from './door.ts'
import { libc } from './libc.ts'

const setnsCall = libc.func('int setns(int fd, int kind)')

/**
 * setns(2): moves the calling thread into the namespace that `fd` refers to.
 * @param kind of CloneFlag; 0 takes any
 * @throws SyscallError
 */
export function setns(fd: number, kind: number): void {
  door('setns', () => ({ fd, kind: shownFlags(kind) }), () => Number(setnsCall(fd, kind)))
}

/** The calling thread's own namespace of a kind: `/proc/thread-self/ns/<kind>`. */
export function openNamespace(kind: 'net' | 'mnt' | 'pid' | 'uts' | 'ipc' | 'cgroup'): Descriptor {
  return new Descriptor(openSync(`/proc/thread-self/ns/${kind}`, constants.O_RDONLY))
}

/**
 * Runs `work` on this thread inside an existing network namespace and comes back, whatever happens. `work` is synchronous;
 * sockets it makes stay in that namespace. primeThreads (unshare.ts) must have been awaited before.
 * @param fd a descriptor of the namespace
 */
export function inNetworkNamespace<T>(fd: number, work: () => T): T {
  using home = openNamespace('net')
  return inWindow(home, CloneFlag.NEWNET, () => setns(fd, CloneFlag.NEWNET), work)
}

/**
 * The shape of every namespace window: enter, work, return to `home`. A thread that could not return would do all its later
 * work in a container's namespace, so the process ends instead.
 * @throws TypeError when `work` is asynchronous: it would go on outside
 */
export function inWindow<T>(home: Descriptor, kind: number, enter: () => void, work: () => T): T {
  enter()
  try {
    const result = work()
    if (types.isPromise(result)) throw new TypeError('work in a namespace window must be synchronous')
    return result
  } finally {
    returnHome(home, kind)
  }
}

function returnHome(home: Descriptor, kind: number): void {
  // setns to a namespace one came from fails only for want of memory; that may pass.
  for (let attempt = 1; ; attempt++) {
    try {
      setns(home.fd, kind)
      return
    } catch (error) {
      if (attempt < 100) continue
      writeSync(2, `cannot return from a ${shownFlags(kind)} window: ${String(error)}\n`)
      process.abort()
    }
  }
}
