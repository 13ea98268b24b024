import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setDumpable } from '@engine/linux/process-settings'
import { capabilitySets, compile, defaultCapabilities, defaultProfile, type OciProcess } from '@engine/runtime'
import { born, ended, TestBirths, type Running } from '../harness/birth.ts'

/*
 * CVE-2016-9962: a process that joins a running container can be seen by it before its execve. A container that may trace
 * processes (CAP_SYS_PTRACE) then took the runtime's descriptors, or the whole process with its privileges. CVE-2019-5736 and
 * CVE-2024-21626 began at the same place: with the program and the directories that the process had still open.
 *
 * The attack: the container's first process knows which pid comes next and stops it, again and again until it is there. So it
 * holds the process at the very beginning of its life in the container, and looks at all that it has.
 */

let births: TestBirths
before(() => {
  births = new TestBirths()
  // As the shim is.
  setDumpable(false)
})
after(() => births[Symbol.asyncDispose]())

/**
 * Stops the next process that comes into the PID namespace, tells what it is, and lets it go on (or not).
 * No program is started before that, so that the next pid is known.
 */
const attacker = `
next=2
while :; do
  echo "waiting $next"
  while ! kill -STOP $next 2>/dev/null; do :; done
  # On another processor it runs on until the signal gets there, and may have become its program by then.
  while :; do
    state=gone
    while read key value rest; do if [ "$key" = State: ]; then state=$value; break; fi; done 2>/dev/null < /proc/$next/status
    case $state in T|Z|X|gone) break ;; esac
  done
  comm=
  read comm 2>/dev/null < /proc/$next/comm
  if [ "$comm" = engine-init ]; then break; fi
  kill -CONT $next
  echo "late $comm"
  # The next process comes only when this one has been reaped.
  while kill -0 $next 2>/dev/null; do :; done
  next=$((next + 1))
done
echo "caught"
cat /proc/$next/status
echo "descriptors"
ls -l /proc/$next/fd
echo "memory"
cat /proc/$next/maps
echo "program"
ls -l /proc/$next/exe /proc/$next/cwd
echo overwritten > /proc/$next/exe
echo "environment [$(cat /proc/$next/environ)]"
echo "end"
read go < /tmp/go
kill -CONT $next
while :; do sleep 1; done
`

/** Lets execs run into the attacker until it has caught one. */
async function catchExec(target: Running, change: (process: OciProcess) => OciProcess, filter: Buffer | undefined): Promise<string> {
  const nothing = openSync('/dev/null', 'r+')
  try {
    for (let attempt = 0; attempt < 50; attempt++) {
      const waiting = (): number => [...target.output().matchAll(/waiting/g)].length
      for (const end = Date.now() + 5000; waiting() <= attempt; await sleep(2)) assert.ok(Date.now() < end, target.output())
      const birth = births.beginExec(target, change, { stdin: nothing, stdout: nothing, stderr: nothing }, { filter })
      for (const end = Date.now() + 5000; ; await sleep(2)) {
        const output = target.output()
        if (/^end$/m.test(output)) {
          await births.exec(target, (process) => ({ ...process, args: ['sh', '-c', 'echo > /tmp/go'] }))
          const outcome = await born(birth)
          if (outcome.born) {
            await ended(outcome.pidfd)
            closeSync(outcome.pidfd)
          }
          return output.slice(output.indexOf('caught'))
        }
        if ([...output.matchAll(/late/g)].length > attempt) break
        assert.ok(Date.now() < end, output)
      }
      const outcome = await born(birth)
      if (outcome.born) {
        await ended(outcome.pidfd)
        closeSync(outcome.pidfd)
      }
    }
    throw new Error('no exec was caught before its execve')
  } finally {
    closeSync(nothing)
  }
}

describe('CVE-2016-9962: an exec, held before its execve by a container', () => {
  for (const [title, capabilities, uid] of [
    ['that may trace it', [...defaultCapabilities, 'CAP_SYS_PTRACE'], 0],
    ['that may trace it, as another user', [...defaultCapabilities, 'CAP_SYS_PTRACE'], 1000],
    ['that may not trace it', defaultCapabilities, 0],
  ] as const) {
    it(`${title} has nothing that the container has not`, async () => {
      const filter = await compile(defaultProfile({ capabilities: [] }))
      const container = await births.start(['sh', '-c', `mkfifo /tmp/go; ${attacker.replace('next=2', 'next=3')}`], (spec) => ({
        ...spec,
        mounts: [...spec.mounts, { type: 'tmpfs', source: 'tmpfs', destination: '/tmp', options: [] }],
        process: { ...spec.process, capabilities: capabilitySets(capabilities) },
      }))
      const seen = await catchExec(container, (process) => ({
        ...process,
        args: ['sleep', '0.01'],
        env: ['PATH=/bin', 'SECRET=exec'],
        capabilities: capabilitySets(defaultCapabilities),
        user: { uid, gid: uid, additionalGids: [] },
      }), filter)
      const own = uid === 0 ? '00000000a80425fb' : '0000000000000000'
      for (const set of ['Prm', 'Eff']) assert.match(seen, new RegExp(`^Cap${set}:\t${own}$`, 'm'), seen)
      assert.match(seen, /^CapBnd:\t00000000a80425fb$/m)
      assert.match(seen, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'))
      assert.match(seen, /^Seccomp:\t2$/m)
      // One end of a pipe, by which the shim knows of its end; and the working directory, when it has come so far.
      const descriptors = [...seen.slice(seen.indexOf('descriptors'), seen.indexOf('memory')).matchAll(/ (\d+) -> (.*)$/gm)].map(([, fd, target]) => [Number(fd), target] as const)
      for (const [fd, target] of descriptors) {
        if (fd <= 2) assert.equal(target, '/dev/null')
        else assert.match(target ?? '', /^pipe:|^\/$/, seen)
      }
      const memory = seen.slice(seen.indexOf('memory\n') + 7, seen.indexOf('program')).trim().split('\n')
      assert.ok(memory.length <= 6, seen)
      assert.ok(!/node|libc|\[heap\]|\[stack\]/.test(memory.join('\n')), seen)
      assert.ok(!seen.includes(process.execPath), seen)
      assert.ok(!seen.includes('overwritten\n'))
      if (capabilities.some((name) => name === 'CAP_SYS_PTRACE')) {
        assert.ok(descriptors.length >= 3, seen)
        assert.match(seen, /exe -> \/memfd:engine-init/)
      } else {
        assert.equal(descriptors.length, 0, seen)
      }
      assert.match(seen, /environment \[\]/)
    })
  }

  it('does not hold up anybody else when it is never let go', async () => {
    const container = await births.start(['sh', '-c', `mkfifo /tmp/go; ${attacker.replace('next=2', 'next=3').replace('echo "caught"', 'echo end; while :; do sleep 1; done')}`], (spec) => ({
      ...spec,
      mounts: [...spec.mounts, { type: 'tmpfs', source: 'tmpfs', destination: '/tmp', options: [] }],
    }))
    const nothing = openSync('/dev/null', 'r+')
    const stdio = { stdin: nothing, stdout: nothing, stderr: nothing }
    let stopped: ReturnType<typeof births.beginExec> | undefined
    for (let attempt = 0; stopped === undefined && attempt < 50; attempt++) {
      const birth = births.beginExec(container, (process) => ({ ...process, args: ['true'] }), stdio)
      const late = (): number => [...container.output().matchAll(/late/g)].length
      for (const end = Date.now() + 5000; late() <= attempt && stopped === undefined; await sleep(2)) {
        assert.ok(Date.now() < end, container.output())
        if (/^end$/m.test(container.output())) stopped = birth
      }
      if (stopped === undefined) {
        const outcome = await born(birth)
        assert.ok(outcome.born)
        await ended(outcome.pidfd)
        closeSync(outcome.pidfd)
      }
    }
    assert.ok(stopped !== undefined)
    // Others are born meanwhile, also in the same container.
    assert.equal((await births.exec(container, (process) => ({ ...process, args: ['echo', 'alive'] }))).output, 'alive\n')
    process.kill(container.pid, 'SIGKILL')
    const outcome = await born(stopped)
    assert.equal(outcome.born, false)
    assert.match(outcome.born ? '' : outcome.failure.message, /killed during its set-up/)
    closeSync(nothing)
    await container.ended()
  })
})

describe('the memory of the shim', () => {
  it('is not what a child begins with', async () => {
    const container = await births.start(['sleep', '100'])
    // The kernel's own word of what the process is, when it has executed: its program's memory and nothing shared with us.
    const maps = readFileSync(`/proc/${container.pid}/maps`, 'utf8')
    assert.ok(maps.includes(join('/bin/busybox')))
    assert.ok(!maps.includes('/dev/zero') && !maps.includes(process.execPath), maps)
  })
})
