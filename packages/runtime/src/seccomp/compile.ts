import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import type { ArgumentTest, SeccompFilter } from '@engine/linux/libseccomp'
import type { OciSeccomp, OciSeccompRule } from '../spec.ts'
import { architectureToken } from './architectures.ts'
import { prologue, type Preface } from './prologue.ts'
import { recentSyscall } from './recent-syscalls.ts'

/** Part of every cached filter's name: another number whenever the same profile compiles to something else. */
const COMPILER = 1
const EPERM = 1
/** BPF_MAXINSNS: longer programs the kernel refuses. */
const LONGEST = 4096

/** SECCOMP_RET_… values (linux/seccomp.h); ERRNO and TRACE carry a number in their low half. */
const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
}

const operators: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

/** SECCOMP_FILTER_FLAG_… values for seccomp(2). TSYNC is left out: the filter is loaded by a process with one thread. */
const flags: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
}

/**
 * The flags that seccomp(2) loads a profile's filter with. A profile that names none gets SPEC_ALLOW as with runc: without it the kernel may
 * switch the processor's speculative stores off for the container, which costs it speed and does not make a filter safer.
 * @throws EngineError invalid-argument in runc's words
 */
export function filterFlags(profile: OciSeccomp): number {
  return (profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']).reduce((bits, name) => {
    const flag = flags[name]
    if (flag === undefined) throw refused(`seccomp flag ${name} is not known to runc`)
    return bits | flag
  }, 0)
}

/**
 * Compiles a profile to what seccomp(2) takes, struct sock_filter[], about 1,000 instructions for the default one. 5 ms; see {@link compileToFile}.
 * A name that nobody knows is passed over, as it is by runc: profiles name the calls of all architectures.
 * @throws EngineError invalid-argument in runc's words for what is no action, architecture or operator; unavailable without libseccomp
 */
export async function compile(profile: OciSeccomp): Promise<Buffer> {
  const defaultAction = action(profile.defaultAction, profile.defaultErrnoRet)
  const tokens = profile.architectures.map(architectureToken)
  filterFlags(profile)
  // Loaded when a filter is not in the cache: hardly ever.
  const library = await import('@engine/linux/libseccomp')
  using filter = new library.SeccompFilter(defaultAction)
  filter.setArchitectures(tokens)
  const unknown = new Map<string, number>()
  for (const rule of profile.syscalls) {
    const ruleAction = action(rule.action, rule.errnoRet)
    // The library refuses rules that say what holds anyway.
    if (ruleAction === defaultAction) continue
    for (const name of rule.names) {
      if (!addRules(filter, ruleAction, name, rule) && (rule.args ?? []).length === 0 && !unknown.has(name)) unknown.set(name, ruleAction)
    }
  }
  const prefaces = (tokens.length === 0 ? [library.nativeArchitecture()] : tokens).map((token): Preface => {
    const calls = new Map<number, number>()
    for (const [name, ruleAction] of unknown) {
      const number = recentSyscall(token, name)
      if (number !== undefined) calls.set(number, ruleAction)
    }
    return { token, calls, newest: permits(profile) ? undefined : newestCall(profile, (name) => library.syscallNumber(token, name) ?? recentSyscall(token, name)) }
  })
  const program = Buffer.concat([prologue(prefaces), filter.exportBpf()])
  if (program.length / 8 > LONGEST) throw refused(`seccomp profile is too long: ${program.length / 8} instructions, the kernel takes ${LONGEST}`)
  return program
}

/**
 * Compiles a profile into a file, unless one of the same content is there already.
 * @param directory for the cache, made with mode 0700; one below the exec root is right, so that a newer libseccomp counts from the next boot on
 * @returns the file's path
 * @throws EngineError as {@link compile}
 */
export async function compileToFile(profile: OciSeccomp, directory: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([COMPILER, process.arch, profile])).digest('hex')
  const path = join(directory, `${hash}.bpf`)
  const cached = await stat(path).catch(() => undefined)
  if (cached !== undefined && cached.size > 0) return path
  const program = await compile(profile)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomUUID()}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(program)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  return path
}

function action(name: string, errno: number | undefined): number {
  if (name === 'SCMP_ACT_NOTIFY') throw refused('seccomp listenerPath is not set')
  const value = actions[name]
  if (value === undefined) throw refused(`string ${name} is not a valid action for seccomp`)
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE' ? value | ((errno ?? EPERM) & 0xffff) : value
}

/** Whether calls that nobody knew when the profile was written shall pass: then there is nothing to fake ENOSYS for. */
function permits({ defaultAction }: OciSeccomp): boolean {
  return defaultAction === 'SCMP_ACT_ALLOW' || defaultAction === 'SCMP_ACT_LOG' || defaultAction === 'SCMP_ACT_TRACE'
}

/** The highest number among the calls that a profile names: its author knew nothing newer. */
function newestCall(profile: OciSeccomp, numberOf: (name: string) => number | undefined): number | undefined {
  let newest: number | undefined
  for (const name of profile.syscalls.flatMap(({ names }) => names)) {
    const number = numberOf(name)
    if (number !== undefined && (newest === undefined || number > newest)) newest = number
  }
  return newest
}

/** @returns false when the library does not know the call */
function addRules(filter: SeccompFilter, ruleAction: number, name: string, { args = [] }: OciSeccompRule): boolean {
  const tests = args.map((argument): ArgumentTest => {
    const operator = operators[argument.op]
    if (operator === undefined) throw refused(`string ${argument.op} is not a valid operator for seccomp`)
    if (argument.index > 5) throw refused(`error creating seccomp syscall condition for syscall ${name}: syscalls only have up to 6 arguments (${argument.index} given)`)
    return { argument: argument.index, operator, a: wide(argument.value), b: wide(argument.valueTwo ?? 0) }
  })
  // Tests of one argument twice cannot both be in one rule; each is then a rule of its own, as runc has it: any of them is enough.
  const repeated = new Set(tests.map(({ argument }) => argument)).size < tests.length
  return repeated ? tests.every((test) => filter.addRule(ruleAction, name, [test])) : filter.addRule(ruleAction, name, tests)
}

/**
 * A value of 64 bits. A JavaScript number has 53 of them: what lies above is refused, except for -1, which comes out as 2^64.
 */
function wide(value: number): bigint {
  if (value === 2 ** 64) return 0xffff_ffff_ffff_ffffn
  if (!Number.isSafeInteger(value)) throw refused(`seccomp argument ${value} has more than 53 bits`)
  return BigInt(value)
}

function refused(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
