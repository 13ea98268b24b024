import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { capabilityNames, defaultCapabilities } from '../capabilities.ts'
import { compile } from './compile.ts'
import { defaultProfile, parseProfile } from './profile.ts'
import { evaluate } from './testing/interpreter.ts'

const capabilities = defaultCapabilities
const dockers = join(import.meta.dirname, '../../../../../shared/data/seccomp/default.json')

const ALLOW = 0x7fff_0000
const EPERM = 0x0005_0001
const ENOSYS = 0x0005_0026
const X86_64 = 0xc000_003e
const I386 = 0x4000_0003
const X32_BIT = 0x4000_0000

describe('the built-in profile', () => {
  /** First arguments that some rule of either profile tells apart, and neighbours. */
  const firsts = [0n, 1n, 2n, 8n, 9n, 37n, 38n, 39n, 40n, 41n, 0x11n, 0x2_0000n, 0x2_0008n, 0x1000_0000n, 0x0002_0000n, 0x7e02_0000n, 0x0100_0f00n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0026n, 0x1_0000_0028n]
  const sets = {
    'default capabilities': capabilities,
    'CAP_SYS_ADMIN besides': [...capabilities, 'CAP_SYS_ADMIN'],
    'CAP_BPF, CAP_PERFMON, CAP_SYSLOG besides': [...capabilities, 'CAP_BPF', 'CAP_PERFMON', 'CAP_SYSLOG'],
    'no capability': [],
    'all capabilities': capabilityNames,
  }

  for (const [name, held] of Object.entries(sets)) {
    it(`decides every call as Docker's with ${name}`, async (t) => {
      if (!existsSync(dockers)) return t.skip('no copy of Docker\'s profile beside the checkout')
      const theirProfile = parseProfile(readFileSync(dockers, 'utf8'), { capabilities: held })
      assert.ok(theirProfile !== undefined)
      const theirs = await compile(theirProfile)
      const ours = await compile(defaultProfile({ capabilities: held }))
      const differences: string[] = []
      let compared = 0
      for (const [architecture, bit] of [[X86_64, 0], [X86_64, X32_BIT], [I386, 0]] as const) {
        for (let number = 0; number < 620; number++) {
          for (const first of firsts) {
            const call = { architecture, number: number | bit, args: [first, 0n] }
            const [our, their] = [evaluate(ours, call), evaluate(theirs, call)]
            compared++
            // Docker compares all 64 bits of socket's address family, the kernel looks at 32; and 64 families are enough.
            const isSocket = number === (architecture === I386 ? 359 : 41)
            if (isSocket && (first & 0xffff_ffffn) > 63n) assert.equal(our, EPERM)
            else if (isSocket && first > 0xffff_ffffn) assert.equal(our, evaluate(ours, { ...call, args: [first & 0xffff_ffffn] }))
            else if (our !== their) differences.push(`${architecture.toString(16)} ${number}(${first}): ${our.toString(16)}, Docker's ${their.toString(16)}`)
          }
        }
      }
      assert.deepEqual(differences, [])
      assert.equal(compared, 3 * 620 * firsts.length)
    })
  }

  it('names exactly the calls that Docker\'s names', (t) => {
    if (!existsSync(dockers)) return t.skip('no copy of Docker\'s profile beside the checkout')
    for (const architecture of ['amd64', 'arm64', 's390x', 'ppc64le', 'riscv64']) {
      for (const kernel of ['4.4.0', '6.18.0']) {
        const context = { capabilities, architecture, kernel }
        const names = (profile: ReturnType<typeof parseProfile>): string[] => [...new Set(profile?.syscalls.flatMap((rule) => rule.names.filter((name) => name !== 'socket').map((name) => `${name} ${rule.action} ${rule.errnoRet} ${JSON.stringify((rule.args ?? []).map(({ index, value, op }) => [index, value, op]))}`)))].sort()
        assert.deepEqual(names(defaultProfile(context)), names(parseProfile(readFileSync(dockers, 'utf8'), context)))
      }
    }
  })

  it('says ENOSYS to clone3 and to calls newer than itself, EPERM to what it refuses', async () => {
    const program = await compile(defaultProfile({ capabilities }))
    const decide = (number: number, ...args: bigint[]): number => evaluate(program, { architecture: X86_64, number, args })
    assert.equal(decide(435), ENOSYS)
    assert.equal(decide(470), ENOSYS)
    assert.equal(decide(0xffff_ffff), ENOSYS)
    // mount, unshare, keyctl, bpf, userfaultfd, io_uring_setup
    for (const number of [165, 272, 250, 321, 323, 425]) assert.equal(decide(number), EPERM, String(number))
    // mseal and getxattrat, which older libseccomp does not know
    for (const number of [0, 1, 59, 462, 464]) assert.equal(decide(number), ALLOW, String(number))
    // socket: AF_ALG is 38, AF_VSOCK 40
    for (let family = 0n; family < 64n; family++) {
      const expected = family === 38n || family === 40n ? EPERM : ALLOW
      assert.equal(decide(41, family), expected, `family ${family}`)
      assert.equal(decide(41, family + 2n ** 32n), expected, `family ${family}, with bits the kernel does not look at`)
    }
    // clone of a thread, and of a user namespace
    assert.deepEqual([decide(56, 0x3d0f00n), decide(56, 0x1000_0011n)], [ALLOW, EPERM])
  })
})

describe('parseProfile', () => {
  const parse = (json: string) => parseProfile(json, { capabilities, architecture: 'amd64', kernel: '5.10.0-30-amd64' })

  it('takes a profile of neither action nor rules for none', () => {
    assert.equal(parse('{"syscalls":[]}'), undefined)
  })

  for (const [json, message] of [
    ['{', 'Decoding seccomp profile failed: unexpected end of JSON input'],
    ['', 'Decoding seccomp profile failed: unexpected end of JSON input'],
    ['{"a": "', 'Decoding seccomp profile failed: unexpected end of JSON input'],
    ['42', 'Decoding seccomp profile failed: json: cannot unmarshal number into Go value of type seccomp.Seccomp'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["b"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"abc"}}]}', 'Decoding seccomp profile failed: invalid kernel version: "abc", expected "<kernel>.<major>"'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":[]}]}', "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'"],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_ALLOW"}]}', "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'"],
  ] as const) {
    it(`refuses ${json}`, () => assert.throws(() => parse(json), { message, code: 'invalid-argument' }))
  }

  it('works conditions out', () => {
    const rule = (name: string, more: object): object => ({ names: [name], action: 'SCMP_ACT_ALLOW', ...more })
    const profile = parse(JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        rule('a', { includes: { caps: ['CAP_CHOWN', 'CAP_KILL'] } }),
        rule('b', { includes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } }),
        rule('c', { excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] } }),
        rule('d', { includes: { arches: ['amd64', 'x32'] } }),
        rule('e', { includes: { arches: ['arm64'] } }),
        rule('f', { excludes: { arches: ['amd64'] } }),
        rule('g', { includes: { minKernel: '5.10' } }),
        rule('h', { includes: { minKernel: '5.11' } }),
        rule('i', { excludes: { minKernel: '4.8' } }),
        rule('j', { includes: {}, excludes: null, comment: 'passed over' }),
        { name: 'k', action: 'SCMP_ACT_ALLOW' },
      ],
    }))
    assert.deepEqual(profile?.syscalls.flatMap(({ names }) => names), ['a', 'd', 'g', 'j', 'k'])
  })

  it('takes the machine\'s row of archMap', { skip: process.arch !== 'x64' && 'this row is x86-64\'s' }, () => {
    const profile = parse('{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]},{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}]}')
    assert.deepEqual(profile?.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'])
  })
})
