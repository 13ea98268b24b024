import { EngineError } from '@engine/linux'

/** Architecture tokens of libseccomp (seccomp_arch_add(3)); all but X32's are the kernel's AUDIT_ARCH_… values. */
const tokens: Readonly<Record<string, number>> = {
  SCMP_ARCH_X86: 0x4000_0003,
  SCMP_ARCH_X86_64: 0xc000_003e,
  SCMP_ARCH_X32: 0x4000_003e,
  SCMP_ARCH_ARM: 0x4000_0028,
  SCMP_ARCH_AARCH64: 0xc000_00b7,
  SCMP_ARCH_MIPS: 0x0000_0008,
  SCMP_ARCH_MIPS64: 0x8000_0008,
  SCMP_ARCH_MIPS64N32: 0xa000_0008,
  SCMP_ARCH_MIPSEL: 0x4000_0008,
  SCMP_ARCH_MIPSEL64: 0xc000_0008,
  SCMP_ARCH_MIPSEL64N32: 0xe000_0008,
  SCMP_ARCH_PPC: 0x0000_0014,
  SCMP_ARCH_PPC64: 0x8000_0015,
  SCMP_ARCH_PPC64LE: 0xc000_0015,
  SCMP_ARCH_S390: 0x0000_0016,
  SCMP_ARCH_S390X: 0x8000_0016,
  SCMP_ARCH_RISCV64: 0xc000_00f3,
  SCMP_ARCH_LOONGARCH64: 0xc000_0102,
}

/** A token by its name. @throws EngineError invalid-argument in runc's words */
export function architectureToken(name: string): number {
  const token = tokens[name]
  if (token === undefined) throw new EngineError('invalid-argument', `string ${name} is not a valid arch for seccomp`)
  return token
}

export const X86_64 = 0xc000_003e
export const X32 = 0x4000_003e
/** x32 programs have X86_64's token and this bit in their call's number. */
export const X32_BIT = 0x4000_0000
