import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, readlinkSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { execProcess, type OciSpec } from '@engine/runtime'
import { born, ended, TestBirths, type Running } from '../harness/birth.ts'

let births: TestBirths

before(() => {
  births = new TestBirths()
})
after(() => births[Symbol.asyncDispose]())

const sleeper = (): Promise<Running> => births.start(['sleep', '100'])

function withArgs(...args: string[]): (spec: OciSpec) => OciSpec {
  return (spec) => ({ ...spec, process: { ...spec.process, args } })
}

describe('a container process', () => {
  it('is PID 1 of namespaces of its own, with its own root and name', async () => {
    const { output, end } = await births.run(withArgs('sh', '-c', 'echo $$; hostname; ls /; cat /proc/1/comm; pwd'))
    assert.deepEqual(end, { code: 0 })
    const lines = output.split('\n')
    assert.equal(lines[0], '1')
    assert.equal(lines[1], 'test-host')
    assert.ok(lines.includes('bin') && !lines.includes('boot'), output)
  })

  it('differs from the host in every namespace, as the kernel sees it', async () => {
    const { pid, spec } = await sleeper()
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
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(spec.linux.cgroupsPath))
  })

  it('sees default mounts, masked and read-only paths', async () => {
    const { pid } = await sleeper()
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
  })

  it('gives devices, links and nothing of our descriptors', async () => {
    const { output } = await births.run(withArgs('sh', '-c', 'ls -l /dev; ls /proc/self/fd; echo x > /dev/null && head -c 4 /dev/zero | wc -c; cat /proc/keys | wc -c; ls -l /proc/self/fd'))
    assert.match(output, /crw-rw-rw-\s+1 root\s+root\s+1,\s+3 .* null/)
    assert.match(output, /ptmx -> pts\/ptmx/)
    assert.match(output, /fd -> \/proc\/self\/fd/)
    assert.match(output, /^4\n0$/m)
    // What ls itself opens is a directory of /proc.
    const opened = [...output.matchAll(/ (\d+) -> (.*)$/gm)].filter(([, fd]) => Number(fd) > 2)
    assert.deepEqual(opened.filter(([, , target]) => target?.startsWith('/proc/') !== true), [])
  })

  it('becomes another user with groups and no capabilities', async () => {
    const { output } = await births.run((spec) => ({
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
    assert.deepEqual((await births.run(withArgs('sh', '-c', 'exit 7'))).end, { code: 7 })
    // PID 1 of a namespace is safe from signals of its own that it does not handle.
    assert.deepEqual((await births.run(withArgs('sh', '-c', 'kill -9 $$; exit 3'))).end, { code: 3 })
  })

  it('says what Docker says when there is no such program', async () => {
    const message = async (...args: string[]): Promise<string> => {
      const { outcome, failure } = await births.run(withArgs(...args))
      assert.equal(outcome.born, false)
      return failure
    }
    assert.equal(await message('nope'), 'exec: "nope": executable file not found in $PATH')
    assert.equal(await message('/nope'), 'exec: "/nope": stat /nope: no such file or directory')
    assert.equal(await message('/etc'), 'exec: "/etc": is a directory: permission denied')
    assert.equal(await message('/etc/passwd'), 'exec: "/etc/passwd": permission denied')
    writeFileSync(join(births.root, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 })
    assert.equal(await message('/script'), 'exec /script: no such file or directory')
    writeFileSync(join(births.root, 'garbage'), 'garbage', { mode: 0o755 })
    assert.match(await message('/garbage'), /^exec \/garbage: exec format error$/)
  })

  it('records every call with its arguments and time', async () => {
    const { outcome } = await births.run(withArgs('true'))
    const calls = outcome.records.map(({ call }) => call)
    for (const call of ['unshare', 'mount', 'move_mount', 'fsopen', 'mknodat', 'pivot_root', 'umount2', 'prctl', 'capset', 'setresuid', 'execve']) assert.ok(calls.includes(call), call)
    assert.ok(calls.indexOf('pivot_root') < calls.indexOf('capset') && calls.indexOf('capset') < calls.lastIndexOf('execve'))
    assert.ok(outcome.records.every(({ at, nanoseconds }) => /^\d{19}$/.test(at) && nanoseconds >= 0))
  })

  it('leaves a failed birth without a process', async () => {
    const { outcome } = await births.run((spec) => ({ ...spec, mounts: [...spec.mounts, { destination: '/x', type: 'nosuchfs', source: 'none', options: [] }] }))
    assert.equal(outcome.born, false)
    assert.match(outcome.born ? '' : outcome.failure.message, /error mounting "none" to rootfs at "\/x": no such device/)
  })

  it('refuses a mount inside /proc, also through a link of the image', async () => {
    symlinkSync('/proc', join(births.root, 'innocent'))
    const { outcome } = await births.run((spec) => ({ ...spec, mounts: [...spec.mounts, { destination: '/innocent/sys', type: 'bind', source: '/tmp', options: ['rbind'] }] }))
    rmSync(join(births.root, 'innocent'))
    assert.match(outcome.born ? '' : outcome.failure.message, /cannot be mounted because it is inside \/proc/)
  })
})

describe('an exec', () => {
  it('joins every namespace and the cgroup of the container', async () => {
    const container = await sleeper()
    const { output, end } = await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', 'hostname; ps; readlink /proc/self/ns/net; cat /proc/self/cgroup; grep CapEff /proc/self/status'] }))
    assert.deepEqual(end, { code: 0 })
    assert.match(output, /^test-host\n/)
    assert.match(output, /1 root\s+sleep 100/)
    assert.ok(output.includes(readlinkSync(`/proc/${container.pid}/ns/net`)))
    assert.match(output, /CapEff:\t00000000a80425fb/)
  })

  it('refuses a pid that another process has by now', async () => {
    const { pid, spec } = await sleeper()
    const nothing = openSync('/dev/null', 'r+')
    assert.throws(() => execProcess({ pid, startTime: '1', cgroupsPath: spec.linux.cgroupsPath }, spec.process, { stdin: nothing, stdout: nothing, stderr: nothing }, {}), /stopped container/)
    closeSync(nothing)
  })

  it('has a terminal from the container\'s own devpts', async () => {
    const birth = births.beginExec(await sleeper(), (process) => ({ ...process, terminal: true, args: ['sh', '-c', 'tty; stty size'] }), { terminal: { rows: 33, columns: 77 } })
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
