import assert from 'node:assert/strict'
import { closeSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { availableCapabilities, capabilitySets, compile, defaultMounts, defaultProfile, parseProfile, privilegedDeviceRules, type OciSpec } from '@engine/runtime'
import { born, ended, TestBirths, type Change } from '../harness/birth.ts'
import { processWith } from '../harness/spec-changes.ts'

let births: TestBirths

before(() => {
  births = new TestBirths()
})
after(() => births[Symbol.asyncDispose]())

const until = async (condition: () => boolean): Promise<void> => {
  for (const end = Date.now() + 5000; !condition(); await sleep(5)) assert.ok(Date.now() < end, 'it takes too long')
}

describe('a privileged container', () => {
  const privileged: Change<OciSpec> = (spec) => ({
    ...spec,
    process: { ...spec.process, capabilities: capabilitySets(availableCapabilities()) },
    mounts: defaultMounts({ ipc: 'private', privileged: true }),
    linux: { ...spec.linux, resources: { devices: privilegedDeviceRules }, maskedPaths: [], readonlyPaths: [], devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o600 }] },
  })

  it('has all capabilities, writable /sys and /proc/sys, its devices, and can mount', async () => {
    const { output, failure } = await births.shell(
      'grep -E "CapEff|Seccomp:" /proc/self/status; mount -t tmpfs x /var && touch /var/file && ls /var; ls -l /dev/fuse; cat /proc/sys/kernel/hostname > /proc/sys/kernel/hostname && echo writable',
      (spec) => privileged(spec),
    )
    assert.equal(failure, '')
    const mask = availableCapabilities().length
    assert.equal([...BigInt(`0x${/CapEff:\s*([0-9a-f]+)/.exec(output)?.[1] ?? '0'}`).toString(2)].filter((bit) => bit === '1').length, mask)
    assert.match(output, /Seccomp:\t0/)
    assert.match(output, /^crw-------\s+1 root\s+root\s+10, 229 .* \/dev\/fuse$/m)
    assert.match(output, /^writable$/m)
    assert.match(output, /^file$/m)
  })

  it('does not reach the host by what it mounts', async () => {
    const { output } = await births.shell('mount -t tmpfs engine-test-mark /tmp; mount --make-rshared /; mount -t tmpfs engine-test-mark /var; grep -c engine-test-mark /proc/self/mountinfo', (spec) => privileged(spec))
    assert.equal(output, '2\n')
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes('engine-test-mark'))
  })
})

describe('seccomp and no_new_privs', () => {
  const status = 'grep -E "Seccomp:|NoNewPrivs|CapEff|CapPrm" /proc/self/status; unshare -U true && echo escaped; mkdir -p /tmp/directory && echo works'
  const users = [{ uid: 0, gid: 0 }, { uid: 1000, gid: 1000 }]

  for (const { uid, gid } of users) {
    for (const noNewPrivileges of [false, true]) {
      it(`hold for uid ${uid} ${noNewPrivileges ? 'with' : 'without'} no_new_privs, in the container and in an exec`, async () => {
        const filter = await compile(defaultProfile({ capabilities: [] }))
        const change = processWith({ user: { uid, gid, additionalGids: [] }, noNewPrivileges })
        const container = await births.start(['sh', '-c', `${status}; sleep 100`], change, { filter })
        const executed = await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', status] }), { filter })
        assert.equal(executed.failure, '')
        await until(() => container.output().includes('works'))
        for (const output of [container.output(), executed.output]) {
          assert.match(output, /^Seccomp:\t2$/m)
          assert.match(output, new RegExp(`^NoNewPrivs:\t${noNewPrivileges ? 1 : 0}$`, 'm'))
          assert.match(output, new RegExp(`^CapEff:\t${uid === 0 ? '00000000a80425fb' : '0000000000000000'}$`, 'm'))
          assert.match(output, new RegExp(`^CapPrm:\t${uid === 0 ? '00000000a80425fb' : '0000000000000000'}$`, 'm'))
          assert.doesNotMatch(output, /escaped/)
          assert.match(output, /^works$/m)
        }
      })
    }
  }

  it('may forbid everything that a birth needs itself', async () => {
    const profile = parseProfile(JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['clone', 'clone3', 'setsid', 'ioctl', 'openat2', 'fchdir', 'capset', 'prctl', 'close_range', 'dup3', 'setresuid', 'mount', 'exit_group'], action: 'SCMP_ACT_ERRNO' }],
    }), { capabilities: [] })
    assert.ok(profile !== undefined)
    const filter = await compile(profile)
    const container = await births.start(['sleep', '100'], undefined, { filter })
    const done = await births.exec(container, (process) => ({ ...process, cwd: '/tmp', args: ['pwd'] }), { filter })
    assert.equal(done.output, '/tmp\n')
    // Also the end of a birth that fails after the filter is in force.
    assert.match((await births.exec(container, (process) => ({ ...process, args: ['/nope'] }), { filter })).failure, /no such file/)
    assert.match((await births.run(processWith({ args: ['/nope'] }), { filter })).failure, /no such file/)
    // And with a terminal.
    const birth = births.beginExec(container, (process) => ({ ...process, terminal: true, args: ['tty'] }), { terminal: { rows: 1, columns: 1 } }, { filter })
    const outcome = await born(birth)
    assert.ok(outcome.born)
    await ended(outcome.pidfd)
    closeSync(outcome.pidfd)
    closeSync(birth.master as number)
  })

  it('refuses a filter that leaves no room', async () => {
    const filter = Buffer.alloc(4095 * 8)
    for (let i = 0; i < 4095; i++) filter.writeUInt16LE(6, i * 8)
    await assert.rejects(births.run((spec) => spec, { filter }), /seccomp profile is too long/)
  })
})

describe('capabilities', () => {
  it('are ambient when the spec says so, and survive execve', async () => {
    const names = ['CAP_NET_BIND_SERVICE']
    const { output } = await births.shell('grep Cap /proc/self/status', processWith({
      user: { uid: 1000, gid: 1000, additionalGids: [] },
      capabilities: { bounding: names, effective: names, permitted: names, inheritable: names, ambient: names },
    }))
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(output, new RegExp(`Cap${set}:\t0000000000000400`))
  })

  it('can be none at all', async () => {
    const { output } = await births.shell('grep Cap /proc/self/status', processWith({ capabilities: capabilitySets([]) }))
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(output, new RegExp(`Cap${set}:\t0000000000000000`))
  })
})
