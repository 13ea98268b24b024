import { Assembler } from './bpf.ts'
import type { DeviceException, DeviceList } from './device-list.ts'

// struct bpf_cgroup_dev_ctx (linux/bpf.h): u32 access_type (type in the low half, access in the high), u32 major, u32 minor.
const TYPES = { b: 1, c: 2 } as const
const ACCESS = { m: 1, r: 2, w: 4 } as const

/**
 * The BPF_PROG_TYPE_CGROUP_DEVICE program of a device list: it returns 1 to allow and 0 to refuse. Semantics are v1's: where all is
 * refused by default, an exception lets through what asks for no more than it has; where all is allowed, one refuses what asks for any of it.
 * Registers: r2 type, r3 access, r4 major, r5 minor of what is asked for.
 */
export function deviceProgram({ allow, exceptions }: DeviceList): Buffer {
  const code = new Assembler()
  code.load32(2, 1, 0).and32(2, 0xffff)
  code.load32(3, 1, 0).shiftRight32(3, 16)
  code.load32(4, 1, 4)
  code.load32(5, 1, 8)
  exceptions.forEach((exception, index) => emit(code, exception, allow, `next ${index}`))
  code.move32(0, allow ? 1 : 0).exit()
  return code.assemble()
}

function emit(code: Assembler, { type, major, minor, access }: DeviceException, allow: boolean, next: string): void {
  code.jumpUnlessEqual32(2, TYPES[type], next)
  if (major !== undefined) code.jumpUnlessEqual32(4, major, next)
  if (minor !== undefined) code.jumpUnlessEqual32(5, minor, next)
  const mask = [...access].reduce((bits, letter) => bits | ACCESS[letter as keyof typeof ACCESS], 0)
  if (mask !== 7 || allow) {
    code.moveRegister32(1, 3)
    // Refused by default: nothing may be asked for beyond the mask. Allowed by default: nothing within it.
    code.and32(1, allow ? mask : 7 & ~mask)
    if (allow) code.jumpIfEqual32(1, 0, next)
    else code.jumpUnlessEqual32(1, 0, next)
  }
  code.move32(0, allow ? 0 : 1).exit()
  code.label(next)
}
