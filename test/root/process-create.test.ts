import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, readlinkSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCgroup, createProcess, execProcess, removeCgroup, type BirthOutcome, type ExecTarget, type OciSpec, type Stdio } from '@engine/runtime'
import { processStat } from '@engine/linux/process-stat'
import { reap, type ProcessEnd } from '@engine/linux/wait'
import { busyboxRoot } from '../harness/busybox.ts'
import { plainSpec } from '../harness/spec.ts'

const parent = `/engine-test-birth-${process.pid}`
let directory = ''
let root = ''

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-birth-'))
  root = busyboxRoot(directory)
})

after(async () => {
  await removeCgroup(parent)
  rmSync(directory, { recursive: true, force: true })
})

/** Runs a container to its end with its output in a file. */
async function run(name: string, change: (spec: OciSpec) => OciSpec): Promise<{ outcome: BirthOutcome; output: string; end: ProcessEnd | undefined }> {
  const cgroupsPath = `${parent}/${name}`
  const spec = change(plainSpec(root, cgroupsPath))
  createCgroup(cgroupsPath, spec.linux.resources)
  const file = join(directory, `${name}.out`)
  const out = openSync(file, 'w')
  const nothing = openSync('/dev/null', 'r')
  try {
    const outcome = await born(createProcess(spec, { stdin: nothing, stdout: out, stderr: out }, {}))
    let end: ProcessEnd | undefined
    if (outcome.born) {
      end = await ended(outcome.pidfd)
      closeSync(outcome.pidfd)
    }
    return { outcome, output: readFileSync(file, 'utf8'), end }
  } finally {
    closeSync(out)
    closeSync(nothing)
    await removeCgroup(cgroupsPath)
  }
}

async function born(birth: ReturnType<typeof createProcess>): Promise<BirthOutcome> {
  const byte = Buffer.alloc(1)
  for (;;) {
    try {
      readSync(birth.ready, byte, 0, 1, null)
      return birth.finish()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      await sleep(1)
    }
  }
}

async function ended(pidfd: number): Promise<ProcessEnd> {
  for (;;) {
    const end = reap(pidfd)
    if (end !== undefined) return end
    await sleep(2)
  }
}

/** Starts a sleeping container, hands over its pid, and ends it. */
async function withSleeper(name: string, use: (pid: number, spec: OciSpec) => Promise<void>, change: (spec: OciSpec) => OciSpec = (spec) => spec): Promise<void> {
  const cgroupsPath = `${parent}/${name}`
  const spec = change(plainSpec(root, cgroupsPath, ['sleep', '100']))
  createCgroup(cgroupsPath, spec.linux.resources)
  const nothing = openSync('/dev/null', 'r+')
  try {
    const outcome = await born(createProcess(spec, { stdin: nothing, stdout: nothing, stderr: nothing }, {}))
    assert.ok(outcome.born, JSON.stringify(outcome))
    try {
      await use(outcome.pid, spec)
    } finally {
      process.kill(outcome.pid, 'SIGKILL')
      await ended(outcome.pidfd)
      closeSync(outcome.pidfd)
    }
  } finally {
    closeSync(nothing)
    await removeCgroup(cgroupsPath)
  }
}

function withArgs(...args: string[]): (spec: OciSpec) => OciSpec {
  return (spec) => ({ ...spec, process: { ...spec.process, args } })
}

describe('a container process', () => {
  it('is PID 1 of namespaces of its own, with its own root and name', async () => {
    const { output, end } = await run('first', withArgs('sh', '-c', 'echo $$; hostname; ls /; cat /proc/1/comm; pwd'))
    assert.deepEqual(end, { code: 0 })
    const lines = output.split('\n')
    assert.equal(lines[0], '1')
    assert.equal(lines[1], 'test-host')
    assert.ok(lines.includes('bin') && !lines.includes('boot'), output)
  })

  it('differs from the host in every namespace, as the kernel sees it', async () => {
    await withSleeper('namespaces', async (pid) => {
      for (const type of ['pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup']) {
        assert.notEqual(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(`/proc/self/ns/${type}`), type)
      }
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      assert.match(status, /^NSpid:\t\d+\t1$/m)
      assert.match(status, /^CapBnd:\t00000000a80425fb$/m)
      assert.match(status, /^CapEff:\t00000000a80425fb$/m)
      assert.match(status, /^CapInh:\t0000000000000000$/m)
      assert.match(status, /^SigIgn:\t0000000000000000$/m)
      assert.match(status, /^SigBlk:\t0000000000000000$/m)
      assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'sleep\x00100\x00')
      assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`${parent}/namespaces`))
    })
  })

  it('sees default mounts, masked and read-only paths', async () => {
    await withSleeper('mounts', (pid) => {
      const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
      const line = (path: string): string => mounts.split('\n').findLast((row) => row.split(' ')[4] === path) ?? ''
      assert.match(line('/proc'), / rw,nosuid,nodev,noexec.* - proc /)
      assert.match(line('/dev'), / rw,nosuid.* - tmpfs .*mode=755/)
      assert.match(line('/dev/pts'), / - devpts .*gid=5,mode=620,ptmxmode=666/)
      assert.match(line('/dev/shm'), / rw,nosuid,nodev,noexec.* - tmpfs /)
      assert.match(line('/dev/mqueue'), / - mqueue /)
      assert.match(line('/sys'), / ro,nosuid,nodev,noexec.* - sysfs /)
      assert.match(line('/proc/sys'), / ro,/)
      assert.match(line('/proc/keys'), / \/null \/proc\/keys .* - devtmpfs /)
      assert.match(line('/sys/firmware'), / ro,.* - tmpfs /)
      assert.match(mounts, /\/sys\/fs\/cgroup/)
      return Promise.resolve()
    })
  })

  it('gives devices, links and nothing of our descriptors', async () => {
    const { output } = await run('devices', withArgs('sh', '-c', 'ls -l /dev; ls /proc/self/fd; echo x > /dev/null && head -c 4 /dev/zero | wc -c; cat /proc/keys | wc -c; ls -l /proc/self/fd'))
    assert.match(output, /crw-rw-rw-\s+1 root\s+root\s+1,\s+3 .* null/)
    assert.match(output, /ptmx -> pts\/ptmx/)
    assert.match(output, /fd -> \/proc\/self\/fd/)
    assert.match(output, /^4\n0$/m)
    // What ls itself opens is a directory of /proc.
    const opened = [...output.matchAll(/ (\d+) -> (.*)$/gm)].filter(([, fd]) => Number(fd) > 2)
    assert.deepEqual(opened.filter(([, , target]) => target?.startsWith('/proc/') !== true), [])
  })

  it('becomes another user with groups and no capabilities', async () => {
    const { output } = await run('user', (spec) => ({
      ...withArgs('sh', '-c', 'id; grep -E "Cap|Groups" /proc/self/status; pwd')(spec),
      process: { ...withArgs('sh', '-c', 'id; grep -E "Cap|Groups" /proc/self/status; pwd')(spec).process, user: { uid: 1000, gid: 1001, additionalGids: [7, 8] }, cwd: '/tmp' },
    }))
    assert.match(output, /uid=1000 gid=1001 groups=1001,7,8|uid=1000 gid=1001 groups=7.*8.*1001/)
    assert.match(output, /CapPrm:\t0000000000000000/)
    assert.match(output, /CapEff:\t0000000000000000/)
    assert.match(output, /CapBnd:\t00000000a80425fb/)
    assert.match(output, /^\/tmp$/m)
  })

  it('reports exit status and signal', async () => {
    assert.deepEqual((await run('status', withArgs('sh', '-c', 'exit 7'))).end, { code: 7 })
    // PID 1 of a namespace is safe from signals of its own that it does not handle.
    assert.deepEqual((await run('signal', withArgs('sh', '-c', 'kill -9 $$; exit 3'))).end, { code: 3 })
  })

  it('says what Docker says when there is no such program', async () => {
    const message = async (name: string, ...args: string[]): Promise<string> => {
      const { outcome } = await run(name, withArgs(...args))
      assert.equal(outcome.born, false)
      return outcome.born ? '' : outcome.failure.message
    }
    assert.equal(await message('nope1', 'nope'), 'exec: "nope": executable file not found in $PATH')
    assert.equal(await message('nope2', '/nope'), 'exec: "/nope": stat /nope: no such file or directory')
    assert.equal(await message('nope3', '/etc'), 'exec: "/etc": is a directory: permission denied')
    assert.equal(await message('nope4', '/etc/passwd'), 'exec: "/etc/passwd": permission denied')
    writeFileSync(join(root, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 })
    assert.equal(await message('nope5', '/script'), 'exec /script: no such file or directory')
    writeFileSync(join(root, 'garbage'), 'garbage', { mode: 0o755 })
    assert.match(await message('nope6', '/garbage'), /^exec \/garbage: exec format error$/)
  })

  it('records every call with its arguments and time', async () => {
    const { outcome } = await run('ledger', withArgs('true'))
    const calls = outcome.records.map(({ call }) => call)
    for (const call of ['unshare', 'mount', 'move_mount', 'fsopen', 'mknodat', 'pivot_root', 'umount2', 'prctl', 'capset', 'setresuid', 'execve']) assert.ok(calls.includes(call), call)
    assert.ok(calls.indexOf('pivot_root') < calls.indexOf('capset') && calls.indexOf('capset') < calls.lastIndexOf('execve'))
    assert.ok(outcome.records.every(({ at, nanoseconds }) => /^\d{19}$/.test(at) && nanoseconds >= 0))
  })

  it('leaves a failed birth without a process', async () => {
    const { outcome } = await run('badmount', (spec) => ({ ...spec, mounts: [...spec.mounts, { destination: '/x', type: 'nosuchfs', source: 'none', options: [] }] }))
    assert.equal(outcome.born, false)
    assert.match(outcome.born ? '' : outcome.failure.message, /error mounting "none" to rootfs at "\/x": no such device/)
  })

  it('refuses a mount inside /proc, also through a link of the image', async () => {
    symlinkSync('/proc', join(root, 'innocent'))
    const { outcome } = await run('proc', (spec) => ({ ...spec, mounts: [...spec.mounts, { destination: '/innocent/sys', type: 'bind', source: '/tmp', options: ['rbind'] }] }))
    rmSync(join(root, 'innocent'))
    assert.match(outcome.born ? '' : outcome.failure.message, /cannot be mounted because it is inside \/proc/)
  })
})

describe('an exec', () => {
  const target = (pid: number, spec: OciSpec): ExecTarget => ({ pid, startTime: processStat(pid)?.startTime ?? '', cgroupsPath: spec.linux.cgroupsPath })

  it('joins every namespace and the cgroup of the container', async () => {
    await withSleeper('exec', async (pid, spec) => {
      const file = join(directory, 'exec.out')
      const out = openSync(file, 'w')
      const nothing = openSync('/dev/null', 'r')
      const streams: Stdio = { stdin: nothing, stdout: out, stderr: out }
      const outcome = await born(execProcess(target(pid, spec), { ...spec.process, args: ['sh', '-c', 'hostname; ps; readlink /proc/self/ns/net; cat /proc/self/cgroup; grep CapEff /proc/self/status'] }, streams, {}))
      assert.ok(outcome.born, JSON.stringify(outcome))
      assert.deepEqual(await ended(outcome.pidfd), { code: 0 })
      closeSync(outcome.pidfd)
      closeSync(out)
      closeSync(nothing)
      const output = readFileSync(file, 'utf8')
      assert.match(output, /^test-host\n/)
      assert.match(output, /1 root\s+sleep 100/)
      assert.ok(output.includes(readlinkSync(`/proc/${pid}/ns/net`)))
      assert.match(output, /CapEff:\t00000000a80425fb/)
    })
  })

  it('refuses a pid that another process has by now', async () => {
    await withSleeper('reused', (pid, spec) => {
      const nothing = openSync('/dev/null', 'r+')
      assert.throws(() => execProcess({ ...target(pid, spec), startTime: '1' }, spec.process, { stdin: nothing, stdout: nothing, stderr: nothing }, {}), /stopped container/)
      closeSync(nothing)
      return Promise.resolve()
    })
  })

  it('has a terminal from the container\'s own devpts', async () => {
    await withSleeper('tty', async (pid, spec) => {
      const birth = execProcess(target(pid, spec), { ...spec.process, terminal: true, args: ['sh', '-c', 'tty; stty size'] }, { terminal: { rows: 33, columns: 77 } }, {})
      const outcome = await born(birth)
      assert.ok(outcome.born, JSON.stringify(outcome))
      assert.deepEqual(await ended(outcome.pidfd), { code: 0 })
      const content = Buffer.alloc(4096)
      const length = readSync(birth.master as number, content, 0, 4096, null)
      assert.equal(content.toString('utf8', 0, length), '/dev/pts/0\r\n33 77\r\n')
      closeSync(birth.master as number)
      closeSync(outcome.pidfd)
    })
  })
})
