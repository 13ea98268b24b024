import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { syscallNumber } from '@engine/linux/libseccomp'
import { defaultCapabilities } from '../capabilities.ts'
import type { OciSeccomp, OciSeccompRule } from '../spec.ts'
import { compile, compileToFile, filterFlags } from './compile.ts'
import { defaultProfile } from './profile.ts'
import { recentSyscall } from './recent-syscalls.ts'
import { evaluate } from './testing/interpreter.ts'

const X86_64 = 0xc000_003e
const KILL_THREAD = 0
const skip = process.arch !== 'x64' && 'numbers are x86-64\'s'

const profile = (more: Partial<OciSeccomp>): OciSeccomp => ({ defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: [], ...more })
const denied = (names: readonly string[], more: Partial<OciSeccompRule> = {}): OciSeccompRule => ({ names, action: 'SCMP_ACT_ERRNO', ...more })

/** What a profile's rules say of a call, read one after the other: the model that the program must agree with. */
function meaning({ syscalls, defaultAction, defaultErrnoRet = 1 }: OciSeccomp, name: string | undefined, args: readonly bigint[]): number {
  const encode = (action: string, errno = 1): number => (action === 'SCMP_ACT_ALLOW' ? 0x7fff_0000 : action === 'SCMP_ACT_ERRNO' ? 0x5_0000 | errno : KILL_THREAD)
  for (const rule of syscalls) {
    if (name === undefined || !rule.names.includes(name)) continue
    const holds = (rule.args ?? []).every(({ index, value, valueTwo = 0, op }) => {
      const given = args[index] ?? 0n
      const wanted = BigInt(value)
      if (op === 'SCMP_CMP_MASKED_EQ') return (given & wanted) === BigInt(valueTwo)
      if (op === 'SCMP_CMP_EQ') return given === wanted
      if (op === 'SCMP_CMP_LT') return given < wanted
      assert.equal(op, 'SCMP_CMP_GT')
      return given > wanted
    })
    if (holds) return encode(rule.action, rule.errnoRet)
  }
  return encode(defaultAction, defaultErrnoRet)
}

describe('compile', { skip }, () => {
  it('agrees with the rules read one by one, for every call of this machine', async () => {
    const wanted = defaultProfile({ capabilities: defaultCapabilities })
    const program = await compile(wanted)
    const names = new Map<number, string>()
    for (const name of [...wanted.syscalls.flatMap((rule) => rule.names), 'mount', 'keyctl', 'bpf', 'unshare', 'io_uring_setup', 'userfaultfd', 'reboot', 'swapon']) {
      const number = syscallNumber(X86_64, name) ?? recentSyscall(X86_64, name)
      if (number !== undefined) names.set(number, name)
    }
    for (let number = 0; number <= 466; number++) {
      for (const first of [0n, 8n, 38n, 39n, 40n, 41n, 0x2_0000n, 0x1000_0011n, 0xffff_ffffn]) {
        const call = { architecture: X86_64, number, args: [first, 0n, 0n, 0n, 0n, 0n] }
        assert.equal(evaluate(program, call), meaning(wanted, names.get(number), call.args), `${names.get(number) ?? number}(${first})`)
      }
    }
  })

  it('kills what is of a foreign architecture', async () => {
    const program = await compile(profile({ defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X86_64'], syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] }))
    assert.equal(evaluate(program, { architecture: 0x4000_0003, number: 3, args: [] }), KILL_THREAD)
    assert.equal(evaluate(program, { architecture: X86_64, number: 0, args: [] }), 0x7fff_0000)
    assert.equal(evaluate(program, { architecture: X86_64, number: 1, args: [] }), 0x5_0026)
  })

  it('fakes no ENOSYS where everything else is allowed', async () => {
    const program = await compile(profile({ syscalls: [denied(['mkdir'], { errnoRet: 13 }), denied(['mseal'])] }))
    const decide = (number: number): number => evaluate(program, { architecture: X86_64, number, args: [] })
    assert.deepEqual([decide(83), decide(84), decide(500), decide(462)], [0x5_000d, 0x7fff_0000, 0x7fff_0000, 0x5_0001])
  })

  it('takes two tests of one argument for alternatives', async () => {
    const op = 'SCMP_CMP_EQ'
    const program = await compile(profile({ syscalls: [denied(['close'], { args: [{ index: 0, value: 5, op }, { index: 0, value: 7, op }] }), denied(['dup2'], { args: [{ index: 0, value: 5, op }, { index: 1, value: 7, op }] })] }))
    const decide = (number: number, ...args: bigint[]): boolean => evaluate(program, { architecture: X86_64, number, args }) === 0x5_0001
    assert.deepEqual([decide(3, 5n), decide(3, 6n), decide(3, 7n)], [true, false, true])
    assert.deepEqual([decide(33, 5n, 7n), decide(33, 5n, 6n)], [true, false])
  })

  it('compares 64 bits', async () => {
    const program = await compile(profile({ syscalls: [denied(['close'], { args: [{ index: 0, value: 2 ** 40 + 1, op: 'SCMP_CMP_EQ' }] }), denied(['dup'], { args: [{ index: 0, value: 2 ** 64, op: 'SCMP_CMP_EQ' }] })] }))
    const decide = (number: number, first: bigint): boolean => evaluate(program, { architecture: X86_64, number, args: [first] }) === 0x5_0001
    assert.deepEqual([decide(3, (1n << 40n) + 1n), decide(3, 1n), decide(3, 1n << 40n)], [true, false, false])
    assert.deepEqual([decide(32, -1n), decide(32, 0n)], [true, false])
  })

  it('passes over names that nobody knows', async () => {
    await compile(profile({ syscalls: [denied(['nosuchcall'])] }))
  })

  for (const [more, message] of [
    [{ defaultAction: 'FOO' }, 'string FOO is not a valid action for seccomp'],
    [{ architectures: ['FOO'] }, 'string FOO is not a valid arch for seccomp'],
    [{ flags: ['FOO'] }, 'seccomp flag FOO is not known to runc'],
    [{ syscalls: [{ names: ['mkdir'], action: 'FOO' }] }, 'string FOO is not a valid action for seccomp'],
    [{ syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] }, 'seccomp listenerPath is not set'],
    [{ syscalls: [denied(['mkdir'], { args: [{ index: 0, value: 1, op: 'FOO' }] })] }, 'string FOO is not a valid operator for seccomp'],
    [{ syscalls: [denied(['mkdir'], { args: [{ index: 7, value: 1, op: 'SCMP_CMP_EQ' }] })] }, 'error creating seccomp syscall condition for syscall mkdir: syscalls only have up to 6 arguments (7 given)'],
    [{ syscalls: [denied(['mkdir'], { args: [{ index: 0, value: 2 ** 60, op: 'SCMP_CMP_EQ' }] })] }, 'seccomp argument 1152921504606847000 has more than 53 bits'],
  ] as const) {
    it(`refuses ${JSON.stringify(more)}`, async () => {
      await assert.rejects(compile(profile(more as Partial<OciSeccomp>)), { message, code: 'invalid-argument' })
    })
  }

  it('knows the flags of seccomp(2)', () => {
    assert.equal(filterFlags(profile({})), 4)
    assert.equal(filterFlags(profile({ flags: [] })), 0)
    assert.equal(filterFlags(profile({ flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC'] })), 2)
  })
})

describe('compileToFile', { skip }, () => {
  it('compiles each profile once, and leaves nothing half written', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-seccomp-'))
    try {
      const cache = join(directory, 'seccomp')
      const wanted = defaultProfile({ capabilities: defaultCapabilities })
      const paths = await Promise.all([compileToFile(wanted, cache), compileToFile(wanted, cache)])
      assert.equal(paths[0], paths[1])
      const { ino } = statSync(paths[0])
      assert.equal(await compileToFile(defaultProfile({ capabilities: defaultCapabilities }), cache), paths[0])
      assert.equal(statSync(paths[0]).ino, ino)
      assert.deepEqual(readFileSync(paths[0]), await compile(wanted))
      assert.notEqual(await compileToFile(defaultProfile({ capabilities: [] }), cache), paths[0])
      assert.equal(readdirSync(cache).length, 2)
      assert.equal(statSync(cache).mode & 0o777, 0o700)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
