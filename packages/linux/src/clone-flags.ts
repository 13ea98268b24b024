/** Namespace kinds as flags of unshare(2), setns(2) and clone(2). */
export const CloneFlag = {
  FS: 0x200,
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const

/** `CLONE_NEWNET|CLONE_NEWNS`, as the ledger shows it. */
export function shownFlags(flags: number): string {
  return Object.entries(CloneFlag)
    .filter(([, flag]) => (flags & flag) !== 0)
    .map(([name]) => `CLONE_${name}`)
    .join('|')
}
