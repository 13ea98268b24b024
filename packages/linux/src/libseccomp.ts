import { closeSync, fstatSync, readSync } from 'node:fs'
import koffi from 'koffi'
import { EngineError } from './error.ts'
import { errnoText } from './errno.ts'
import { memfdCreate } from './memfd.ts'

/** What a name resolves to that the library does not know (__NR_SCMP_ERROR). */
const NO_SYSCALL = -1

/** Attributes of a filter, seccomp_attr_set(3). */
const SCMP_FLTATR_CTL_NNP = 3

/** One test of a system call's argument; all of a rule's must hold. `b` is the value that MASKED_EQ compares with, `a` its mask. */
export interface ArgumentTest {
  /** 0 to 5. */
  readonly argument: number
  /** SCMP_CMP_NE 1, LT 2, LE 3, EQ 4, GE 5, GT 6, MASKED_EQ 7. */
  readonly operator: number
  readonly a: bigint
  readonly b: bigint
}

interface Library {
  readonly init: (action: number) => bigint | null
  readonly release: (context: bigint) => void
  readonly archAdd: (context: bigint, architecture: number) => number
  readonly archRemove: (context: bigint, architecture: number) => number
  readonly archNative: () => number
  readonly attrSet: (context: bigint, attribute: number, value: number) => number
  readonly ruleAdd: (context: bigint, action: number, syscall: number, count: number, tests: Buffer | null) => number
  readonly resolveName: (name: string) => number
  readonly resolveNameArch: (architecture: number, name: string) => number
  readonly exportBpf: (context: bigint, fd: number) => number
}

let library: Library | undefined

/** Loaded when first needed, 1.3 ms: most processes never compile a filter. */
function seccomp(): Library {
  if (library !== undefined) return library
  let file: ReturnType<typeof koffi.load>
  try {
    file = koffi.load('libseccomp.so.2')
  } catch (cause) {
    throw new EngineError('unavailable', 'libseccomp.so.2 is missing', { hint: 'install libseccomp2', cause })
  }
  library = {
    init: file.func('void *seccomp_init(uint32_t)'),
    release: file.func('void seccomp_release(void *)'),
    archAdd: file.func('int seccomp_arch_add(void *, uint32_t)'),
    archRemove: file.func('int seccomp_arch_remove(void *, uint32_t)'),
    archNative: file.func('uint32_t seccomp_arch_native()'),
    attrSet: file.func('int seccomp_attr_set(void *, int, uint32_t)'),
    ruleAdd: file.func('int seccomp_rule_add_array(void *, uint32_t, int, unsigned int, const void *)'),
    resolveName: file.func('int seccomp_syscall_resolve_name(const char *)'),
    resolveNameArch: file.func('int seccomp_syscall_resolve_name_arch(uint32_t, const char *)'),
    exportBpf: file.func('int seccomp_export_bpf(void *, int)'),
  }
  return library
}

/** The architecture token of this machine (linux/audit.h AUDIT_ARCH_…). */
export function nativeArchitecture(): number {
  return seccomp().archNative()
}

/** A system call's number on an architecture; undefined when the library does not know it, or that architecture has it not. */
export function syscallNumber(architecture: number, name: string): number | undefined {
  const number = seccomp().resolveNameArch(architecture, name)
  // Numbers below -1 are the library's own, for calls of other architectures.
  return number < 0 ? undefined : number
}

/**
 * A filter in the making, libseccomp's scmp_filter_ctx. Loads nothing into the kernel: no_new_privs and flags are its loader's business.
 * Every method throws EngineError internal with the library's error, and after disposal.
 */
export class SeccompFilter implements Disposable {
  /** 0 once it is released: the library would take a stale pointer without a word. */
  #handle: bigint

  /** @param defaultAction SECCOMP_RET_… value for calls that no rule matches */
  constructor(defaultAction: number) {
    const context = seccomp().init(defaultAction)
    if (context === null) throw new EngineError('internal', 'seccomp_init failed')
    this.#handle = context
    try {
      check('seccomp_attr_set', seccomp().attrSet(context, SCMP_FLTATR_CTL_NNP, 0))
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  get #context(): bigint {
    if (this.#handle === 0n) throw new EngineError('internal', 'this seccomp filter has been released')
    return this.#handle
  }

  /** Makes the rules hold for exactly these architectures. Call it before any rule. */
  setArchitectures(tokens: readonly number[]): void {
    const native = seccomp().archNative()
    for (const token of tokens) if (token !== native) check('seccomp_arch_add', seccomp().archAdd(this.#context, token), 17)
    if (tokens.length > 0 && !tokens.includes(native)) check('seccomp_arch_remove', seccomp().archRemove(this.#context, native))
  }

  /**
   * Adds a rule for all architectures that have the call.
   * @returns false when the library does not know the call's name
   */
  addRule(action: number, name: string, tests: readonly ArgumentTest[]): boolean {
    const number = seccomp().resolveName(name)
    if (number === NO_SYSCALL) return false
    // struct scmp_arg_cmp: u32 argument, u32 operator, u64 a, u64 b.
    const array = Buffer.alloc(tests.length * 24)
    tests.forEach(({ argument, operator, a, b }, index) => {
      array.writeUInt32LE(argument, index * 24)
      array.writeUInt32LE(operator, index * 24 + 4)
      array.writeBigUInt64LE(a, index * 24 + 8)
      array.writeBigUInt64LE(b, index * 24 + 16)
    })
    // EEXIST: the same rule is there already.
    check(`seccomp_rule_add ${name}`, seccomp().ruleAdd(this.#context, action, number, tests.length, tests.length === 0 ? null : array), 17)
    return true
  }

  /** The program as struct sock_filter[]. */
  exportBpf(): Buffer {
    const fd = memfdCreate('seccomp', true)
    try {
      check('seccomp_export_bpf', seccomp().exportBpf(this.#context, fd))
      const program = Buffer.alloc(fstatSync(fd).size)
      readSync(fd, program, 0, program.length, 0)
      return program
    } finally {
      closeSync(fd)
    }
  }

  /** Releases it; nothing happens the second time. */
  [Symbol.dispose](): void {
    if (this.#handle === 0n) return
    seccomp().release(this.#handle)
    this.#handle = 0n
  }
}

/** The library returns negative errno values. */
function check(call: string, result: number, allowed?: number): void {
  if (result < 0 && -result !== allowed) throw new EngineError('internal', `${call}: ${errnoText(-result)}`)
}
