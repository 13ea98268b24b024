import { openSync } from 'node:fs'

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
  /** The container's /dev. */
  readonly dev: number
  /** The container's procfs, for sysctls. */
  readonly proc: number
  /** The host's /dev/null, to mask files with. */
  readonly nothing: number
}

let taken: Slots | undefined

/** The numbers, taken on first use and kept for as long as this process lives. */
export function slots(): Slots {
  const take = (): number => openSync('/dev/null', 'r')
  taken ??= { root: take(), target: take(), mount: take(), dev: take(), proc: take(), nothing: take() }
  return taken
}
