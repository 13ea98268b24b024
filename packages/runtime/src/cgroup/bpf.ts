import { EngineError, Errno, door, failedWith } from '@engine/linux'
import { addressOf, syscall } from '@engine/linux/libc'

const NR_BPF = process.arch === 'arm64' ? 280 : 321
const BPF_PROG_LOAD = 5
const BPF_PROG_ATTACH = 8
const BPF_PROG_DETACH = 9
const BPF_PROG_GET_FD_BY_ID = 13
const BPF_PROG_QUERY = 16
const BPF_F_ALLOW_MULTI = 2

/** The verifier gives up with EAGAIN when a signal is pending; libbpf tries as often. */
const loadAttempts = 5

export const BPF_PROG_TYPE_CGROUP_DEVICE = 15
/** The attach type of programs that decide about devices. */
export const BPF_CGROUP_DEVICE = 6

const names = new Map([
  [BPF_PROG_LOAD, 'PROG_LOAD'],
  [BPF_PROG_ATTACH, 'PROG_ATTACH'],
  [BPF_PROG_DETACH, 'PROG_DETACH'],
  [BPF_PROG_GET_FD_BY_ID, 'PROG_GET_FD_BY_ID'],
  [BPF_PROG_QUERY, 'PROG_QUERY'],
])

function bpf(command: number, attributes: Buffer, args: Readonly<Record<string, string | number>>): number {
  const name = names.get(command) ?? String(command)
  return door('bpf', () => ({ command: name, ...args }), () => syscall(NR_BPF, command, addressOf(attributes), attributes.length, 0, 0, 0))
}

/**
 * Has the kernel check and take an eBPF program.
 * @param instructions struct bpf_insn[], see {@link Assembler}
 * @param name         up to 15 letters, digits and underscores, shown by bpftool
 * @returns a descriptor (close-on-exec, as all of bpf(2)); the caller closes it
 * @throws SyscallError EACCES or EINVAL when the verifier refuses it
 */
export function loadProgram(type: number, instructions: Buffer, name: string): number {
  const licence = Buffer.from('Apache-2.0\0')
  // union bpf_attr of BPF_PROG_LOAD: type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, prog_name[16].
  const attributes = Buffer.alloc(64)
  attributes.writeUInt32LE(type, 0)
  attributes.writeUInt32LE(instructions.length / 8, 4)
  attributes.writeBigUInt64LE(addressOf(instructions), 8)
  attributes.writeBigUInt64LE(addressOf(licence), 16)
  attributes.write(name.slice(0, 15), 48, 'latin1')
  const load = (): number => bpf(BPF_PROG_LOAD, attributes, { type, instructions: instructions.length / 8, name })
  for (let attempt = 1; attempt < loadAttempts; attempt++) {
    try {
      return load()
    } catch (error) {
      if (!failedWith(error, Errno.EAGAIN)) throw error
    }
  }
  return load()
}

/** Attaches a program to a cgroup beside those that are there (all must agree). The cgroup keeps it alive. @throws SyscallError */
export function attachProgram(cgroup: number, program: number, attachType: number): void {
  bpf(BPF_PROG_ATTACH, target(cgroup, program, attachType, BPF_F_ALLOW_MULTI), { cgroup, program, attachType })
}

/** Takes a program away from a cgroup. @throws SyscallError ENOENT when it was not attached */
export function detachProgram(cgroup: number, program: number, attachType: number): void {
  bpf(BPF_PROG_DETACH, target(cgroup, program, attachType, 0), { cgroup, program, attachType })
}

function target(cgroup: number, program: number, attachType: number, flags: number): Buffer {
  const attributes = Buffer.alloc(20)
  attributes.writeUInt32LE(cgroup, 0)
  attributes.writeUInt32LE(program, 4)
  attributes.writeUInt32LE(attachType, 8)
  attributes.writeUInt32LE(flags, 12)
  return attributes
}

/** The ids of the programs attached to a cgroup itself (not to those above it), up to 64. @throws SyscallError */
export function programsOf(cgroup: number, attachType: number): number[] {
  const ids = Buffer.alloc(64 * 4)
  // target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt.
  const attributes = Buffer.alloc(32)
  attributes.writeUInt32LE(cgroup, 0)
  attributes.writeUInt32LE(attachType, 4)
  attributes.writeBigUInt64LE(addressOf(ids), 16)
  attributes.writeUInt32LE(ids.length / 4, 24)
  bpf(BPF_PROG_QUERY, attributes, { cgroup, attachType })
  return Array.from({ length: attributes.readUInt32LE(24) }, (_, index) => ids.readUInt32LE(index * 4))
}

/** A descriptor of a loaded program; the caller closes it. @throws SyscallError ENOENT when there is none */
export function programDescriptor(id: number): number {
  const attributes = Buffer.alloc(12)
  attributes.writeUInt32LE(id, 0)
  return bpf(BPF_PROG_GET_FD_BY_ID, attributes, { id })
}

// Instruction classes and operations: Documentation/bpf/standardization/instruction-set.rst.
const LDX_W = 0x61
const ALU32_IMMEDIATE = 0x04
const ALU32_REGISTER = 0x0c
const AND = 0x50
const SHIFT_RIGHT = 0x70
const MOVE = 0xb0
const JUMP32_EQUAL = 0x16
const JUMP32_NOT_EQUAL = 0x56
const EXIT = 0x95

/** Puts eBPF instructions together; jumps go forward to named labels. Registers are 0 to 10, immediates 32 bits. */
export class Assembler {
  readonly #code: number[][] = []
  readonly #labels = new Map<string, number>()
  readonly #jumps: { readonly at: number; readonly to: string }[] = []

  /** `to = *(u32 *)(from + offset)` */
  load32(to: number, from: number, offset: number): this {
    return this.#emit(LDX_W, to, from, offset, 0)
  }

  and32(register: number, value: number): this {
    return this.#emit(ALU32_IMMEDIATE | AND, register, 0, 0, value)
  }

  shiftRight32(register: number, bits: number): this {
    return this.#emit(ALU32_IMMEDIATE | SHIFT_RIGHT, register, 0, 0, bits)
  }

  move32(register: number, value: number): this {
    return this.#emit(ALU32_IMMEDIATE | MOVE, register, 0, 0, value)
  }

  moveRegister32(to: number, from: number): this {
    return this.#emit(ALU32_REGISTER | MOVE, to, from, 0, 0)
  }

  jumpIfEqual32(register: number, value: number, label: string): this {
    return this.#jump(JUMP32_EQUAL, register, value, label)
  }

  jumpUnlessEqual32(register: number, value: number, label: string): this {
    return this.#jump(JUMP32_NOT_EQUAL, register, value, label)
  }

  /** Returns r0. */
  exit(): this {
    return this.#emit(EXIT, 0, 0, 0, 0)
  }

  /** Names the next instruction. */
  label(name: string): this {
    this.#labels.set(name, this.#code.length)
    return this
  }

  /** The program as struct bpf_insn[]. @throws EngineError internal for a jump to a label that is not there or too far */
  assemble(): Buffer {
    for (const { at, to } of this.#jumps) {
      const target = this.#labels.get(to)
      const distance = (target ?? -1) - at - 1
      const instruction = this.#code[at]
      if (instruction === undefined || distance < 0 || distance > 0x7fff) throw new EngineError('internal', `eBPF jump to ${to} is out of reach`)
      instruction[3] = distance
    }
    const program = Buffer.alloc(this.#code.length * 8)
    this.#code.forEach(([operation = 0, to = 0, from = 0, offset = 0, immediate = 0], index) => {
      program.writeUInt8(operation, index * 8)
      program.writeUInt8((from << 4) | to, index * 8 + 1)
      program.writeInt16LE(offset, index * 8 + 2)
      program.writeInt32LE(immediate | 0, index * 8 + 4)
    })
    return program
  }

  #emit(operation: number, to: number, from: number, offset: number, immediate: number): this {
    this.#code.push([operation, to, from, offset, immediate])
    return this
  }

  #jump(operation: number, register: number, value: number, label: string): this {
    this.#jumps.push({ at: this.#code.length, to: label })
    return this.#emit(operation, register, 0, 0, value)
  }
}
