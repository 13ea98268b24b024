import { openSync, statSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { emptyProgram } from '@engine/linux/memfd'
import { O_CLOEXEC } from '@engine/linux/openat2'
import type { Program, Result } from '@engine/linux/program'

/**
 * Descriptor numbers that a birth program may use for what it opens: the kernel picks the number of a new descriptor, and
 * a table laid out beforehand must know it. So the shim keeps these numbers taken (by /dev/null, close-on-exec), and the
 * child moves its descriptors onto them with dup3(2).
 */
export interface Slots {
  /** The container's root. */
  readonly root: number
  /** Where a mount goes. */
  readonly target: number
  /** A file system context, then a mount that is not attached yet. */
  readonly mount: number
  /** The container's procfs, for sysctls. */
  readonly proc: number
  /** The host's /dev/null, to mask files with. */
  readonly nothing: number
  /** An empty file, for /proc/self/exe to lead to; see detach.ts. Absent where executable memfds are forbidden. */
  readonly program: number | undefined
}

let taken: Slots | undefined

/** The numbers, taken on first use and kept for as long as this process lives. @throws EngineError when /dev/null is not what it should be */
export function slots(): Slots {
  if (taken !== undefined) return taken
  const { rdev } = statSync('/dev/null')
  if (rdev !== ((1 << 8) | 3)) throw new EngineError('unavailable', '/dev/null of this host is not the null device')
  const take = (): number => openSync('/dev/null', 'r')
  taken = { root: take(), target: take(), mount: take(), proc: take(), nothing: take(), program: takeProgram() }
  return taken
}

function takeProgram(): number | undefined {
  try {
    return emptyProgram('engine-init')
  } catch (error) {
    if (failedWith(error, Errno.EACCES, Errno.EPERM, Errno.EINVAL)) return undefined
    throw error
  }
}

/** Appends: move a new descriptor onto a slot. What was there is closed; so no descriptor is ever left over. */
export function moveTo(program: Program, slot: number, fd: Result): void {
  program.call('dup3', [fd, slot, O_CLOEXEC], { args: {}, quiet: true })
  program.call('close', [fd], { args: {}, quiet: true })
}

/** Appends: close every descriptor but these. Really, and not by execve: a process that may trace ours could take what is still open. */
export function closeAllBut(program: Program, kept: readonly number[]): void {
  let from = 0
  for (const fd of [...new Set(kept)].sort((a, b) => a - b)) {
    if (fd > from) program.call('close_range', [from, fd - 1, 0], { args: {}, quiet: true })
    from = fd + 1
  }
  program.call('close_range', [from, 0xffff_ffff, 0], { args: {}, quiet: true })
}
