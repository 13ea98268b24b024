import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, readSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setWindowSize } from '@engine/linux/window-size'
import { capabilitySets, createProcess, type OciSpec } from '@engine/runtime'
import { born, ended, TestBirths, type Change } from '../harness/birth.ts'
import { bind, mounting, processWith } from '../harness/spec-changes.ts'

let births: TestBirths

before(() => {
  births = new TestBirths()
})
after(() => births[Symbol.asyncDispose]())

describe('a terminal', () => {
  it('controls the session, tells its size and its change, and belongs to the user', async () => {
    const spec = births.spec(processWith({
      terminal: true,
      user: { uid: 1000, gid: 1000, additionalGids: [] },
      args: ['sh', '-c', 'trap "stty size; exit 0" WINCH; tty; ls -ln /dev/console /dev/pts/0 | cut -c1-30; stty size; echo > /dev/tty; read x; read y'],
    }))
    const birth = createProcess(spec, { terminal: { rows: 24, columns: 80 } }, {})
    const master = birth.master as number
    const outcome = await born(birth)
    assert.ok(outcome.born, JSON.stringify(outcome))
    let output = ''
    const read = async (text: RegExp): Promise<void> => {
      const buffer = Buffer.alloc(4096)
      for (const end = Date.now() + 5000; !text.test(output); await sleep(5)) {
        assert.ok(Date.now() < end, output)
        try {
          output += buffer.toString('utf8', 0, readSync(master, buffer, 0, 4096, null))
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EIO'))) throw error
        }
      }
    }
    await read(/24 80/)
    assert.match(output, /^\/dev\/pts\/0\r\n(crw--w----\s+1 1000\s+5\s+\r\n|crw--w----    1 1000     5     .*\r\n){2}24 80/)
    const stat = readFileSync(`/proc/${outcome.pid}/stat`, 'utf8').split(' ')
    // Its own session, and the terminal is its controlling one.
    assert.equal(stat[5], String(outcome.pid))
    assert.notEqual(stat[6], '0')
    setWindowSize(master, 33, 77)
    // ash runs the trap when its read has ended.
    writeSync(master, '\n')
    await read(/33 77/)
    assert.deepEqual(await ended(outcome.pidfd), { code: 0 })
    closeSync(outcome.pidfd)
    closeSync(master)
  })

  it('leaves no descriptor behind when a birth fails, whatever fails', async () => {
    const open = (): string[] => readdirSync('/proc/self/fd')
    const failing: readonly Change<OciSpec>[] = [
      processWith({ args: ['/nope'] }),
      processWith({ args: ['a\0b'] }),
      processWith({ rlimits: [{ type: 'RLIMIT_NONSENSE', soft: 1, hard: 1 }] }),
      mounting(bind('/no/such/source', '/x')),
      mounting({ type: 'nosuchfs', source: 'x', destination: '/x', options: [] }),
      (spec) => ({ ...spec, linux: { ...spec.linux, namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'ipc', path: '/nope' }] } }),
      (spec) => ({ ...spec, linux: { ...spec.linux, cgroupsPath: '/engine-no-such-cgroup' } }),
      processWith({ capabilities: { ...capabilitySets([]), ambient: ['CAP_NONSENSE'] } }),
    ]
    // The first takes the numbers that are kept.
    await births.run(failing[0] as Change<OciSpec>)
    const before = open().length
    for (const change of failing) {
      for (const terminal of [false, true]) {
        const spec = change(births.spec((plain) => plain))
        const nothing = openSync('/dev/null', 'r+')
        try {
          const birth = createProcess(spec, terminal ? { terminal: { rows: 1, columns: 1 } } : { stdin: nothing, stdout: nothing, stderr: nothing }, {})
          const outcome = await born(birth)
          assert.equal(outcome.born, false)
          if (birth.master !== undefined) closeSync(birth.master)
        } catch (error) {
          assert.ok(error instanceof Error && 'code' in error, String(error))
        }
        closeSync(nothing)
      }
    }
    assert.equal(open().length, before)
  })
})

describe('arguments', () => {
  it('may be as large as the kernel takes, and say what it says when larger', async () => {
    const large = 'x'.repeat(120_000)
    const taken = await births.run(processWith({ args: ['sh', '-c', 'echo $#', 'sh', ...Array.from({ length: 12 }, () => large)] }))
    assert.equal(taken.output, '12\n')
    const refused = await births.run(processWith({ args: ['/bin/true', ...Array.from({ length: 60 }, () => large)] }))
    assert.equal(refused.failure, 'exec /bin/true: argument list too long')
    const single = await births.run(processWith({ args: ['/bin/true', 'x'.repeat(200_000)] }))
    assert.equal(single.failure, 'exec /bin/true: argument list too long')
  })

  it('hold no NUL byte, and are at least one', async () => {
    await assert.rejects(births.run(processWith({ args: ['true', 'a\0b'] })), { code: 'invalid-argument' })
    await assert.rejects(births.run(processWith({ args: [] })), { message: 'no command specified' })
    assert.equal((await births.run(processWith({ args: [''] }))).failure, 'exec: "": executable file not found in $PATH')
  })

  it('name a program that is too long, or whose interpreter is missing', async () => {
    assert.match((await births.run(processWith({ args: ['x'.repeat(300)] }))).failure, /executable file not found in \$PATH$/)
    assert.match((await births.run(processWith({ args: [`/${'x'.repeat(300)}`] }))).failure, /^exec: "\/x+": stat \/x+: file name too long$/)
    writeFileSync(join(births.root, 'bin/broken'), '#!/no/such/interpreter\n', { mode: 0o755 })
    assert.equal((await births.run(processWith({ args: ['broken'] }))).failure, 'exec /bin/broken: no such file or directory')
    rmSync(join(births.root, 'bin/broken'))
  })
})

describe('a birth', () => {
  it('gives each process a session keyring of its own, without a name', async () => {
    const serial = (records: readonly { readonly call: string; readonly result: number }[]): number => records.find(({ call }) => call === 'keyctl')?.result ?? 0
    const container = await births.start(['sleep', '100'])
    const other = await births.exec(container, (process) => ({ ...process, args: ['true'] }))
    assert.ok(serial(container.outcome.records) > 0)
    assert.notEqual(serial(container.outcome.records), serial(other.outcome.records))
  })

  it('is over when the container is killed meanwhile', async () => {
    const container = await births.start(['sleep', '100'])
    const nothing = openSync('/dev/null', 'r+')
    const birth = births.beginExec(container, (process) => ({ ...process, args: ['true'] }), { stdin: nothing, stdout: nothing, stderr: nothing })
    process.kill(container.pid, 'SIGKILL')
    const outcome = await born(birth)
    closeSync(nothing)
    if (outcome.born) {
      await ended(outcome.pidfd)
      closeSync(outcome.pidfd)
    } else {
      assert.notEqual(outcome.failure.message, '')
    }
    assert.deepEqual(await container.ended(), { signal: 9 })
    assert.throws(() => births.beginExec(container, (process) => process, { stdin: 9, stdout: 9, stderr: 9 }), /stopped container/)
  })
})
