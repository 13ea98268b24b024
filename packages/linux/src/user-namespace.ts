import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { CloneFlag } from './clone-flags.ts'
import { setNonblocking } from './descriptor-flags.ts'
import { Descriptor } from './descriptor.ts'
import { EngineError } from './error.ts'
import { Errno } from './errno.ts'
import { processIdMappings, writeIdMap, type IdMappings } from './id-mappings.ts'
import { pidfdSendSignal } from './pidfd.ts'
import { pipe } from './pipe.ts'
import { Program } from './program/index.ts'
import { failedWith } from './syscall-error.ts'
import { summarized } from './tracer.ts'
import { reap } from './wait.ts'

const PR_SET_PDEATHSIG = 1
const SIGKILL = 9
const FUTEX_WAIT_PRIVATE = 128
const REAP_MILLISECONDS = 20

/** New namespaces that nobody is in; they are there for as long as something holds them. */
export interface OwnedNamespaces extends Disposable {
  readonly user: Descriptor
  /** What the user namespace's ids are outside. */
  readonly mappings: IdMappings
  readonly network: Descriptor | undefined
}

/**
 * Makes a user namespace (user_namespaces(7)), and if asked a network namespace that belongs to it: whoever has capabilities in the
 * one has them over the other. A process with threads can neither make nor join a user namespace, so a child without any does it,
 * and ends as soon as this process has descriptors of what it made.
 * @param user what ids the namespace's ids are; or a user namespace that exists
 * @throws EngineError unavailable when this kernel makes none; SyscallError
 */
export function makeNamespaces(user: IdMappings | { readonly fd: number }, network: boolean): OwnedNamespaces {
  const shown = 'fd' in user ? { user: 'joined', network } : { uids: shownMap(user.uids), gids: shownMap(user.gids), network }
  return summarized('make user namespace', shown, () => make(user, network))
}

function make(user: IdMappings | { readonly fd: number }, network: boolean): OwnedNamespaces {
  const program = new Program()
  const { read, write } = pipe()
  using ours = new Descriptor(read)
  const theirs = new Descriptor(write)
  try {
    // Should this process end in between, the child must not stay.
    program.call('prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0], { args: { option: 'PR_SET_PDEATHSIG' } })
    if ('fd' in user) {
      program.call('setns', [user.fd, CloneFlag.NEWUSER], { args: { type: 'user' } })
      if (network) program.call('unshare', [CloneFlag.NEWNET], { args: { flags: 'CLONE_NEWNET' } })
      program.call('write', [theirs.fd, program.string('.'), 1], { args: {} })
    }
    program.call('futex', [program.words(0), FUTEX_WAIT_PRIVATE, 0, 0, 0, 0], { args: {} })
    const child = fork(program, 'fd' in user ? 0 : CloneFlag.NEWUSER | (network ? CloneFlag.NEWNET : 0))
    try {
      if ('fd' in user) {
        theirs.close()
        setNonblocking(ours.fd, false)
        if (readSync(ours.fd, Buffer.alloc(1)) === 0) throw new EngineError('internal', `a user namespace could not be joined: ${program.failure()?.message ?? 'its process was killed'}`)
      } else {
        // Made by clone itself: there is nothing to wait for.
        writeMap(`/proc/${child.pid}/uid_map`, writeIdMap(user.uids))
        writeMap(`/proc/${child.pid}/gid_map`, writeIdMap(user.gids))
      }
      return hold(child.pid, network)
    } finally {
      pidfdSendSignal(child.pidfd, SIGKILL)
      ending.add(child.pidfd)
      reapEnded()
    }
  } finally {
    theirs.close()
    program.free()
  }
}

/** Children that have been killed. Waiting for their end would be half of the time that all this takes, and on a busy host most of it. */
const ending = new Set<number>()
let reaping: NodeJS.Timeout | undefined

function reapEnded(): void {
  for (const pidfd of ending) {
    if (reap(pidfd) === undefined) continue
    ending.delete(pidfd)
    closeSync(pidfd)
  }
  clearTimeout(reaping)
  reaping = ending.size === 0 ? undefined : setTimeout(reapEnded, REAP_MILLISECONDS).unref()
}

function fork(program: Program, flags: number): { readonly pid: number; readonly pidfd: number } {
  try {
    return program.fork({ flags })
  } catch (error) {
    // ENOSPC: user.max_user_namespaces; EINVAL: no CONFIG_USER_NS.
    if (!failedWith(error, Errno.ENOSPC, Errno.EINVAL, Errno.EPERM)) throw error
    throw new EngineError('unavailable', 'this host makes no user namespace', { hint: 'see the sysctls user.max_user_namespaces and user.max_net_namespaces', cause: error })
  }
}

function hold(pid: number, network: boolean): OwnedNamespaces {
  using undo = new DisposableStack()
  const open = (kind: string): Descriptor => undo.use(new Descriptor(openSync(`/proc/${pid}/ns/${kind}`, constants.O_RDONLY)))
  const held = { user: open('user'), mappings: processIdMappings(pid), network: network ? open('net') : undefined }
  const release = undo.move()
  return { ...held, [Symbol.dispose]: () => release.dispose() }
}

/** The kernel takes a map only once and only in one write. @throws EngineError when it takes it not at all */
function writeMap(path: string, map: string): void {
  const fd = openSync(path, constants.O_WRONLY)
  try {
    writeSync(fd, map)
  } catch (cause) {
    throw new EngineError('invalid-argument', `the kernel refuses the id mappings ${JSON.stringify(map.trim())}`, { cause })
  } finally {
    closeSync(fd)
  }
}

function shownMap(mappings: IdMappings['uids']): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`).join(',')
}
