import assert from 'node:assert/strict'
import { closeSync, existsSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openWriteEnd, readExitFile, BirthError } from '@engine/runtime'
import { childrenOfShim } from '../harness/host-state.ts'
import { output, TestShim } from '../harness/shim.ts'

let shim: TestShim

before(async () => {
  shim = await TestShim.start()
})

after(async () => {
  await shim[Symbol.asyncDispose]()
})

describe('a process of the shim', () => {
  it('gives its output by stream, and its exit status', async () => {
    const process = await shim.run(['/bin/sh', '-c', 'echo out; echo err >&2; exit 7'])
    const status = await shim.ended(process)
    assert.equal(status.code, 7)
    assert.equal(status.signal, undefined)
    assert.equal(status.oomKilled, false)
    assert.match(status.finishedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
    assert.deepEqual(output(process).split('\n').sort(), ['', 'err', 'out'])
    assert.deepEqual(readExitFile(process.directory)?.status, status)
    await shim.client.release(process)
    assert.deepEqual(readdirSync(process.runDirectory), [])
    assert.ok(!(await shim.client.list()).some((listed) => listed.container === process.container))
  })

  it('is told apart by signal', async () => {
    const process = await shim.run(['/bin/sleep', '100'])
    globalThis.process.kill(process.started.pid, 'SIGKILL')
    const status = await shim.ended(process)
    assert.deepEqual({ code: status.code, signal: status.signal }, { code: 137, signal: 9 })
  })

  it('fails as Docker says when there is no such program, and leaves nothing', async () => {
    const before = (await shim.client.list()).length
    await assert.rejects(shim.run(['/nothing']), (error) => {
      assert.ok(error instanceof BirthError)
      assert.equal(error.message, 'exec: "/nothing": stat /nothing: no such file or directory')
      assert.equal(error.errno, 2)
      assert.ok(error.records.length > 10)
      return true
    })
    assert.equal((await shim.client.list()).length, before)
  })

  it('reads a standard input until it is closed', async () => {
    const process = await shim.run(['/bin/cat'], undefined, true)
    const write = openWriteEnd(join(process.runDirectory, 'stdin'))
    assert.ok(write !== undefined)
    writeFileSync(write, 'hello')
    closeSync(write)
    assert.equal((await shim.client.list()).find((listed) => listed.container === process.container)?.stdin, true)
    await shim.client.closeStdin(process)
    assert.equal((await shim.ended(process)).code, 0)
    assert.equal(output(process), 'hello')
  })

  it('may open its own output again as any user', async () => {
    const process = await shim.run(['/bin/sh', '-c', 'echo again > /dev/stdout; echo wrong > /dev/stderr'], (spec) => ({
      ...spec,
      process: { ...spec.process, user: { uid: 1000, gid: 1000, additionalGids: [] } },
    }))
    assert.equal((await shim.ended(process)).code, 0)
    assert.deepEqual(output(process).split('\n').sort(), ['', 'again', 'wrong'])
    const { uid, mode } = statSync(join(process.runDirectory, 'stdout'))
    assert.deepEqual([uid, mode & 0o777], [1000, 0o600])
  })

  it('has a terminal, whose master engined can take', async () => {
    const process = await shim.run(['/bin/sh', '-c', 'stty size; read line; echo "<$line>"; exit 4'], (spec) => ({
      ...spec,
      process: { ...spec.process, terminal: true, consoleSize: { height: 30, width: 90 } },
    }))
    const master = await shim.client.terminal(process)
    assert.match(readlinkSync(`/proc/self/fd/${master}`), /ptmx/)
    await shim.client.resize(process, 40, 100)
    writeFileSync(master, 'typed\n')
    closeSync(master)
    assert.equal((await shim.ended(process)).code, 4)
    const text = output(process)
    assert.match(text, /^(30 90|40 100)\r\n/m)
    assert.match(text, /<typed>\r\n/)
  })

  it('joins a running container', async () => {
    const container = await shim.run(['/bin/sleep', '100'])
    const exec = await shim.exec(container, ['/bin/sh', '-c', 'echo in $(readlink /proc/self/ns/pid); exit 5'])
    assert.equal((await shim.ended(exec)).code, 5)
    assert.equal(output(exec), `in ${readlinkSync(`/proc/${container.started.pid}/ns/pid`)}\n`)
    assert.ok(existsSync(join(exec.directory, 'exit.json')))
    await shim.client.release(exec)
    process.kill(container.started.pid, 'SIGKILL')
    assert.equal((await shim.ended(container)).code, 137)
    await shim.client.release(container)
  })

  it('is announced in time although a background child holds its output', async () => {
    const container = await shim.run(['/bin/sleep', '100'])
    const begun = performance.now()
    const exec = await shim.exec(container, ['/bin/sh', '-c', '(sleep 1; echo late; sleep 100) & echo early'])
    assert.equal((await shim.ended(exec)).code, 0)
    const took = performance.now() - begun
    assert.ok(took > 1500 && took < 3500, `${took} ms`)
    assert.equal(output(exec), 'early\nlate\n')
    process.kill(container.started.pid, 'SIGKILL')
    await shim.ended(container)
  })

  it('is killed for want of memory, and that is known', async () => {
    const process = await shim.run(['/bin/sh', '-c', 'head -c 100000000 /dev/zero | tail'], (spec) => ({
      ...spec,
      linux: { ...spec.linux, resources: { ...spec.linux.resources, memory: { limit: 8 * 1024 * 1024, swap: 8 * 1024 * 1024 } } },
    }))
    const status = await shim.ended(process)
    assert.equal(status.oomKilled, true)
    assert.ok(shim.events.some((event) => event.event === 'oom' && event.container === process.container))
  })

  it('may close a stream before it ends', async () => {
    const { said } = shim
    // Whether its end is seen before that of its output is a matter of luck.
    for (let i = 0; i < 20; i++) {
      const process = await shim.run(['/bin/sh', '-c', 'exec 2>&-; usleep 20000; echo words; exit 3'])
      assert.equal((await shim.ended(process)).code, 3)
      assert.equal(output(process), 'words\n')
      await shim.client.release(process)
    }
    assert.equal(shim.said, said)
  })

  it('leaves nothing behind after 200 short ones in a row', async () => {
    const descriptors = (): number => readdirSync(`/proc/${shim.pid}/fd`).length
    const first = await shim.run(['/bin/true'])
    await shim.ended(first)
    await shim.client.release(first)
    const container = await shim.run(['/bin/sleep', '100'])
    const before = descriptors()
    for (let i = 0; i < 200; i++) {
      const exec = await shim.exec(container, ['/bin/sh', '-c', `exit ${i % 256}`])
      assert.equal((await shim.ended(exec)).code, i % 256)
      await shim.client.release(exec)
      shim.events.splice(0)
    }
    assert.equal(descriptors(), before)
    assert.deepEqual(childrenOfShim(shim.pid), [container.started.pid])
    process.kill(container.started.pid, 'SIGKILL')
    await shim.ended(container)
  })

  it('refuses what it has already, and what it has not', async () => {
    await assert.rejects(shim.client.terminal({ container: 'f'.repeat(64) }), { code: 'not-found' })
    // What is not there need not be forgotten: the shim that had it may have died.
    await shim.client.release({ container: 'f'.repeat(64) })
    const process = await shim.run(['/bin/sleep', '100'])
    await assert.rejects(shim.client.release(process), { code: 'conflict' })
    await assert.rejects(shim.client.terminal(process), { code: 'conflict' })
    globalThis.process.kill(process.started.pid, 'SIGKILL')
    await shim.ended(process)
  })
})
