import { X32, X32_BIT, X86_64 } from './architectures.ts'

/**
 * System calls that a distribution's libseccomp may be too old to know (2.5.4 knows those of Linux 5.17 and some). From 424 on numbers are
 * the same on every architecture (asm-generic/unistd.h).
 */
const common: Readonly<Record<string, number>> = {
  memfd_secret: 447,
  process_mrelease: 448,
  futex_waitv: 449,
  set_mempolicy_home_node: 450,
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
}

const x86Only: Readonly<Record<string, number>> = { uretprobe: 335, uprobe: 336 }

/** The number of a recent call on an architecture, with the x32 bit on x32; undefined for one that is none of these. */
export function recentSyscall(architecture: number, name: string): number | undefined {
  const number = common[name] ?? (architecture === X86_64 ? x86Only[name] : undefined)
  return number !== undefined && architecture === X32 ? number | X32_BIT : number
}
