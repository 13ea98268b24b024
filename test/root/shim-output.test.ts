import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Collector, output, TestShim, type TestProcess } from '../harness/shim.ts'

const program = join(import.meta.dirname, '../../packages/runtime/src/shim/main.ts')
const MIB = 1024 * 1024

let shim: TestShim

before(async () => {
  shim = await TestShim.start()
})

after(async () => {
  await shim[Symbol.asyncDispose]()
})

/** A container that writes numbered lines to both of its outputs, and what they should be. */
function counting(lines: number): { readonly args: readonly string[]; readonly out: string; readonly err: string } {
  const numbers = Array.from({ length: lines }, (_, i) => `${i + 1}\n`).join('')
  const sha256 = createHash('sha256').update(numbers).digest('hex')
  return { args: ['/bin/sh', '-c', `seq ${lines} & seq ${lines} >&2; wait`], out: sha256, err: sha256 }
}

function spooled(process: TestProcess): number {
  const directory = `${process.directory}/spool`
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}

/** Reads until the process's exit is announced, and then the rest. */
async function collect(process: TestProcess, collector: Collector): Promise<number> {
  const ended = shim.ended(process, 20_000)
  while ((await Promise.race([ended, sleep(2)])) === undefined) collector.read(50)
  collector.read()
  collector.close()
  return (await ended).code
}

describe('the output of a container', () => {
  it('outlives the shim, killed under full load, with the exit status', async () => {
    const { args, out, err } = counting(1_500_000)
    const process = await shim.run(args)
    const collector = new Collector(process)
    const lost = new Promise<void>((resolve) => shim.client.onLost(() => resolve()))
    while (collector.bytes[1] < MIB) {
      collector.read(5)
      await sleep(2)
    }
    const { pid } = shim
    globalThis.process.kill(pid, 'SIGKILL')
    await lost
    assert.notEqual(shim.pid, pid)
    const code = await collect(process, collector)
    assert.deepEqual([collector.digest(1), collector.digest(2)], [out, err])
    assert.equal(code, 0)
  })

  it('outlives an upgrade under full load; pid and children stay', async () => {
    const { args, out, err } = counting(1_500_000)
    const process = await shim.run(args)
    const terminal = await shim.run(['/bin/sh', '-c', 'echo before; read line; echo $line; exit 3'], (spec) => ({ ...spec, process: { ...spec.process, terminal: true } }))
    const collector = new Collector(process)
    while (collector.bytes[1] < MIB) {
      collector.read(5)
      await sleep(2)
    }
    const { pid } = shim
    const upgraded = shim.client.upgrade(program)
    // Begun before, and asked for in the middle of it.
    const born = await Promise.all([shim.run(['/bin/true']), sleep(60).then(() => shim.run(['/bin/true']))])
    await upgraded
    assert.equal(shim.pid, pid)
    for (const each of born) assert.equal((await shim.ended(each)).code, 0)
    const code = await collect(process, collector)
    assert.deepEqual([collector.digest(1), collector.digest(2)], [out, err])
    assert.equal(code, 0)
    const master = await shim.client.terminal(terminal)
    const { writeFileSync, closeSync } = await import('node:fs')
    writeFileSync(master, 'after\n')
    closeSync(master)
    assert.equal((await shim.ended(terminal)).code, 3)
    assert.match(output(terminal), /before\r\n[^]*after\r\nafter\r\n/)
  })

  it('refuses a program that cannot be loaded as an upgrade', async () => {
    await assert.rejects(shim.client.upgrade('/nowhere/engine-shim.cjs'), { code: 'invalid-argument' })
  })

  it('goes on while engined is away, and nothing of it is lost', async () => {
    const process = await shim.run(['/bin/sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.05; done; exit 6'])
    shim.client.close()
    await sleep(800)
    await shim.connect()
    const listed = (await shim.client.list()).find((each) => each.container === process.container)
    assert.equal(listed?.status?.code, 6)
    assert.equal(output(process), '1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n')
  })

  it('is taken from a quiet container beside a flooder, which is held at the bound', async () => {
    const flooder = await shim.run(['/bin/sh', '-c', 'exec cat /dev/zero'])
    await shim.event((event) => event.event === 'blocked' && event.container === flooder.container)
    const attended = spooled(flooder)
    assert.ok(attended > 5 * MIB && attended < 8 * MIB, `${attended} bytes`)
    // Nobody would take it: then there may be more.
    shim.client.close()
    for (let i = 0; i < 2000 && spooled(flooder) <= 64 * MIB; i++) await sleep(5)
    await sleep(50)
    const size = spooled(flooder)
    assert.ok(size > 60 * MIB && size < 70 * MIB, `${size} bytes`)
    await shim.connect()
    // It goes on when its spool is read, and a quiet one is served meanwhile.
    const collector = new Collector(flooder)
    const quiet = await shim.run(['/bin/sh', '-c', 'for i in 1 2 3 4 5; do echo $i; sleep 0.02; done'])
    const ended = shim.ended(quiet)
    const seen = new Collector(quiet, { keepText: true })
    while ((await Promise.race([ended, sleep(1)])) === undefined) {
      collector.read(20)
      seen.read()
    }
    seen.read()
    assert.equal(seen.text, '1\n2\n3\n4\n5\n')
    for (let i = 0; i < 1000 && collector.bytes[1] < 80 * MIB; i++) {
      collector.read(20)
      await sleep(1)
    }
    assert.ok(collector.bytes[1] >= 80 * MIB, `${collector.bytes[1]} bytes`)
    assert.ok(shim.events.some((event) => event.event === 'resumed' && event.container === flooder.container))
    globalThis.process.kill(flooder.started.pid, 'SIGKILL')
    await shim.ended(flooder)
    seen.close()
    collector.close()
  })

  it('that a full spool holds up at the end is taken all the same', async () => {
    // More than the bound by less than what a pipe holds.
    const bytes = 6 * MIB + 4 * MIB + 300_000
    const process = await shim.run(['/bin/sh', '-c', `head -c ${bytes} /dev/zero; echo end >&2`])
    const collector = new Collector(process)
    const code = await collect(process, collector)
    assert.equal(code, 0)
    assert.deepEqual(collector.bytes, { 1: bytes, 2: 4 })
  })
})
