import { door } from './door.ts'
import { addressOf, libc, syscall } from './libc.ts'
import { syscallNumber } from './syscall-numbers.ts'

const LINUX_CAPABILITY_VERSION_3 = 0x20080522

const setfsuid = libc.func('int setfsuid(uint id)') as (id: number) => number
const setfsgid = libc.func('int setfsgid(uint id)') as (id: number) => number

/**
 * Runs synchronous work in which this thread makes files as another user, but with all its capabilities (setfsuid(2), and capset(2)
 * for those that it takes away). A file system whose ids are mapped has no id for the host's root: what root made there would have
 * no owner, and the kernel refuses it (EOVERFLOW).
 * @param ids host's ids
 */
export function withFileIds<T>(ids: { readonly uid: number; readonly gid: number }, work: () => T): T {
  const change = ({ uid, gid }: typeof ids): void => {
    // Both return what was before, also when they refuse; asking once more tells.
    setfsgid(gid)
    setfsuid(uid)
    if (setfsuid(uid) !== uid || setfsgid(gid) !== gid) throw new Error(`setfsuid ${uid}, setfsgid ${gid}: refused`)
    raiseCapabilities()
  }
  const before = { uid: setfsuid(0xffff_ffff), gid: setfsgid(0xffff_ffff) }
  change(ids)
  try {
    return work()
  } finally {
    change(before)
  }
}

/** Makes every capability effective that this thread may have. */
function raiseCapabilities(): void {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3)
  // Two of { effective, permitted, inheritable }.
  const data = Buffer.alloc(24)
  const call = (name: 'capget' | 'capset'): number => door(name, () => ({}), () => syscall(syscallNumber(name), addressOf(header), addressOf(data), 0, 0, 0, 0))
  call('capget')
  for (const half of [0, 12]) data.copy(data, half, half + 4, half + 8)
  call('capset')
}
