import { Errno } from '@engine/linux'
import { Label, type Program } from '@engine/linux/program'
import { closeAllBut, slots } from './descriptors.ts'
import { jump } from './path-in-root.ts'

const PR_SET_DUMPABLE = 4
const PR_SET_NAME = 15
const PR_SET_MM = 35
const PR_SET_MM_EXE_FILE = 13
const PR_SET_MM_MAP = 14
/** struct prctl_mm_map: eleven addresses, a pointer, two 32-bit numbers. */
const MM_MAP_BYTES = 104

/**
 * Appends the beginning of every birth: the child lets go of all that it has from the shim and does not need. A fork has the
 * parent's descriptors, its memory and its program; a container that sees the process before its execve (an exec, a shared
 * PID namespace) and may trace it (CAP_SYS_PTRACE) would have them too (CVE-2016-9962, CVE-2019-5736, CVE-2024-21626).
 * - it is not dumpable: who has not CAP_SYS_PTRACE cannot trace it or look into /proc/<pid>
 * - every descriptor is closed but those named
 * - its memory is unmapped but for the table
 * - /proc/self/exe is an empty file that nobody can write to, no longer the shim's Node
 * @param kept descriptors that the program uses by number
 * @param name of the process, as ps shows it
 */
export function detach(program: Program, kept: readonly number[], name = 'engine-init'): void {
  program.call('prctl', [PR_SET_NAME, program.string(name), 0, 0, 0], { args: { option: 'PR_SET_NAME', name } })
  setUndumpable(program)
  const { program: empty, ...numbers } = slots()
  const own = Object.values(numbers)
  closeAllBut(program, [0, 1, 2, ...own, ...kept, ...(empty === undefined ? [] : [empty])])
  program.forgetParent()
  if (empty === undefined) return
  becomeEmpty(program, empty)
  program.call('close', [empty], { args: {}, quiet: true })
}

/**
 * Appends: /proc/self/exe leads to `empty`. There are two ways: one takes CONFIG_CHECKPOINT_RESTORE, the other CAP_SYS_RESOURCE;
 * both fail while any mapping of Node is left. Where neither works, Node's mount is still read-only (read-only-program.ts).
 */
function becomeEmpty(program: Program, empty: number): void {
  const allow = [Errno.EPERM, Errno.EBUSY, Errno.EACCES, Errno.EINVAL]
  const map = Buffer.alloc(MM_MAP_BYTES)
  // The addresses of code, data, heap, stack, arguments and environment are nobody's business; they only must be possible ones.
  const somewhere = BigInt(program.apart())
  for (let i = 0; i < 11; i++) map.writeBigUInt64LE(somewhere, i * 8)
  // The second is the end of the code, which must not be its start.
  map.writeBigUInt64LE(somewhere + 1n, 8)
  map.writeUInt32LE(empty, 100)
  const otherwise = new Label()
  const done = new Label()
  program.call('prctl', [PR_SET_MM, PR_SET_MM_MAP, program.bytes(map), MM_MAP_BYTES, 0], { args: { option: 'PR_SET_MM_MAP', exe: 'an empty file' }, allow, onAllowed: otherwise })
  jump(program, done)
  program.place(otherwise)
  program.call('prctl', [PR_SET_MM, PR_SET_MM_EXE_FILE, empty, 0, 0], { args: { option: 'PR_SET_MM_EXE_FILE', exe: 'an empty file' }, allow })
  program.place(done)
}

/** Appends: not to be traced. Anew after each change of user, which sets what fs.suid_dumpable says. */
export function setUndumpable(program: Program): void {
  program.call('prctl', [PR_SET_DUMPABLE, 0, 0, 0, 0], { args: { option: 'PR_SET_DUMPABLE', value: 0 } })
}
