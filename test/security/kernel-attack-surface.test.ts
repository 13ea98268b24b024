import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { compileToFile, defaultCapabilities, defaultProfile, filterFlags } from '@engine/runtime'

/*
 * CVE-2022-0185 (fsconfig in a user namespace of one's own), CVE-2022-0492 (a user namespace, then cgroup v1's release_agent),
 * CVE-2026-31431 "Copy Fail" (AF_ALG): kernel bugs that a default container could reach. The default filter keeps their calls out of reach,
 * here tried by a process that has all of root's capabilities.
 */

/** Loads the filter, makes each call with arguments that would be harmless, and prints the errno values. */
const attacker = `
import { readFileSync, writeSync } from 'node:fs'
import { door, SyscallError } from '@engine/linux'
import { addressOf, syscall } from '@engine/linux/libc'
const [path, flags, calls] = process.argv.slice(1)
const program = readFileSync(path)
const header = Buffer.alloc(16)
header.writeUInt16LE(program.length / 8, 0)
header.writeBigUInt64LE(addressOf(program), 8)
if (syscall(317, 1, Number(flags), addressOf(header), 0, 0, 0) !== 0) throw new Error('seccomp')
const results = JSON.parse(calls).map(([number, a = 0, b = 0, c = 0]) => {
  try {
    door('attack', () => ({}), () => syscall(number, a, b, c, 0, 0, 0))
    return 'done'
  } catch (error) {
    return error instanceof SyscallError ? error.errnoName : String(error)
  }
})
writeSync(1, JSON.stringify(results))
// Not back into libuv's event loop, which aborts when io_uring is refused.
process.kill(process.pid, 'SIGKILL')
`

const attacks: readonly (readonly [name: string, expected: string, call: readonly number[]])[] = [
  ['unshare(CLONE_NEWUSER)', 'EPERM', [272, 0x1000_0000]],
  ['unshare(CLONE_NEWNS)', 'EPERM', [272, 0x2_0000]],
  ['clone(CLONE_NEWUSER)', 'EPERM', [56, 0x1000_0011]],
  ['clone3', 'ENOSYS', [435]],
  ['setns', 'EPERM', [308, -1]],
  ['mount', 'EPERM', [165]],
  ['umount2', 'EPERM', [166]],
  ['fsopen', 'EPERM', [430]],
  ['fsconfig', 'EPERM', [431, -1]],
  ['move_mount', 'EPERM', [429, -1]],
  ['open_tree', 'EPERM', [428, -1]],
  ['mount_setattr', 'EPERM', [442, -1]],
  ['socket(AF_ALG)', 'EPERM', [41, 38, 5]],
  ['socket(AF_VSOCK)', 'EPERM', [41, 40, 1]],
  ['socket(AF_ALG) with bits beyond the kernel\'s 32', 'EPERM', [41, 2 ** 32 + 38, 5]],
  ['keyctl', 'EPERM', [250, 0]],
  ['add_key', 'EPERM', [248]],
  ['request_key', 'EPERM', [249]],
  ['bpf', 'EPERM', [321, 0]],
  ['perf_event_open', 'EPERM', [298]],
  ['userfaultfd', 'EPERM', [323, 0]],
  ['io_uring_setup', 'EPERM', [425, 1]],
  ['io_uring_enter', 'EPERM', [426, -1]],
  ['open_by_handle_at', 'EPERM', [304, -1]],
  ['kexec_load', 'EPERM', [246]],
  ['init_module', 'EPERM', [175]],
  ['reboot', 'EPERM', [169]],
  ['swapon', 'EPERM', [167]],
  ['a call that does not exist yet', 'ENOSYS', [470]],
  ['getppid, to see that the rest works', 'done', [110]],
]

describe('kernel code that containers do not need', { skip: process.arch !== 'x64' && 'numbers are x86-64\'s' }, () => {
  let directory = ''
  let results: readonly string[] = []
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-attack-'))
    const profile = defaultProfile({ capabilities: defaultCapabilities })
    const path = await compileToFile(profile, directory)
    const { signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', attacker, '--', path, String(filterFlags(profile)), JSON.stringify(attacks.map(([, , call]) => call))], {
      encoding: 'utf8',
      cwd: import.meta.dirname,
    })
    assert.equal(signal, 'SIGKILL', stderr)
    results = JSON.parse(stdout) as readonly string[]
  })
  after(() => rmSync(directory, { recursive: true }))

  for (const [index, [name, expected]] of attacks.entries()) {
    it(`answers ${expected} to ${name}`, () => assert.equal(results[index], expected))
  }
})
