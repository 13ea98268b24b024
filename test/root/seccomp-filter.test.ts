import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { compileToFile, defaultCapabilities, defaultProfile, filterFlags, parseProfile, type OciSeccomp } from '@engine/runtime'

let directory = ''

/** Loads a filter into itself, then becomes a program: what the child of the shim does, but with all of root's capabilities kept. */
const loader = `
import { readFileSync } from 'node:fs'
import { addressOf, syscall } from '@engine/linux/libc'
import { syscallNumber } from '@engine/linux/syscall-numbers'
const [path, flags, file, ...args] = process.argv.slice(1)
const program = readFileSync(path)
const header = Buffer.alloc(16)
header.writeUInt16LE(program.length / 8, 0)
header.writeBigUInt64LE(addressOf(program), 8)
const SECCOMP_SET_MODE_FILTER = 1
if (syscall(syscallNumber('seccomp'), SECCOMP_SET_MODE_FILTER, Number(flags), addressOf(header), 0, 0, 0) !== 0) throw new Error('seccomp')
process.execve(file, [file, ...args], process.env)
`

async function under(profile: OciSeccomp, ...command: string[]): Promise<{ readonly status: number | null; readonly output: string }> {
  const path = await compileToFile(profile, directory)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', loader, '--', path, String(filterFlags(profile)), ...command], { encoding: 'utf8', cwd: import.meta.dirname, env: { ...process.env, NODE_NO_WARNINGS: '1' } })
  return { status, output: stdout + stderr }
}

describe('a compiled filter', () => {
  before(() => (directory = mkdtempSync(join(tmpdir(), 'engine-filter-'))))
  after(() => rmSync(directory, { recursive: true }))

  const profile = defaultProfile({ capabilities: defaultCapabilities })

  it('lets a program do ordinary things', async () => {
    assert.deepEqual(await under(profile, '/bin/sh', '-c', 'echo $(echo one; mkdir "$0"; rmdir "$0"; echo two)', join(directory, 'x')), { status: 0, output: 'one two\n' })
  })

  it('refuses namespaces and mounts, though the program has CAP_SYS_ADMIN', async () => {
    for (const command of [['unshare', '-U', 'true'], ['unshare', '-m', 'true'], ['mount', '-t', 'tmpfs', 'x', directory]]) {
      const { status, output } = await under(profile, '/usr/bin/env', ...command)
      assert.notEqual(status, 0, command.join(' '))
      assert.match(output, /not permitted|permission denied/i)
    }
  })

  it('lets namespaces pass to a container with CAP_SYS_ADMIN', async () => {
    assert.equal((await under(defaultProfile({ capabilities: [...defaultCapabilities, 'CAP_SYS_ADMIN'] }), '/usr/bin/env', 'unshare', '-m', 'true')).status, 0)
  })

  it('does what a user\'s profile says', async () => {
    const custom = parseProfile('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28},{"names":["rmdir"],"action":"SCMP_ACT_KILL_PROCESS"}]}', { capabilities: [] })
    assert.ok(custom !== undefined)
    assert.match((await under(custom, '/bin/mkdir', join(directory, 'y'))).output, /No space left/)
    assert.equal((await under(custom, '/bin/sh', '-c', 'rmdir /nowhere; echo $?')).output.split('\n').filter((line) => /^\d/.test(line)).join(), '159')
  })
})
