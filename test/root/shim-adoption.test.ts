import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pidfdsTellExits } from '@engine/linux/pidfd'
import { keyText } from '../../packages/runtime/src/shim/key.ts'
import { Collector, output, TestShim, type TestProcess } from '../harness/shim.ts'

let shim: TestShim

before(async () => {
  shim = await TestShim.start()
})

after(async () => {
  await shim[Symbol.asyncDispose]()
})

/** Kills the shim, and waits until another one has adopted what the client holds. */
async function loseShim(meanwhile: () => void = () => undefined): Promise<void> {
  const lost = new Promise<void>((resolve) => shim.client.onLost(() => resolve()))
  const { pid } = shim
  process.kill(pid, 'SIGKILL')
  meanwhile()
  await lost
  assert.notEqual(shim.pid, pid)
}

function terminal(args: readonly string[]): Promise<TestProcess> {
  return shim.run(args, (spec) => ({ ...spec, process: { ...spec.process, terminal: true } }))
}

describe('a process whose shim was killed', () => {
  it('keeps its terminal and its standard input', async () => {
    const onTerminal = await terminal(['/bin/sh', '-c', 'echo ready; read line; echo "<$line>"; exit 5'])
    const withInput = await shim.run(['/bin/cat'], undefined, true)
    await loseShim()
    await assert.rejects(shim.ended(withInput, 50), /no such event/)
    const master = await shim.client.terminal(onTerminal)
    writeFileSync(master, 'typed\n')
    closeSync(master)
    assert.equal((await shim.ended(onTerminal)).code, 5)
    assert.match(output(onTerminal), /ready\r\n[^]*<typed>\r\n/)
    await shim.client.closeStdin(withInput)
    const status = await shim.ended(withInput)
    assert.deepEqual([status.code, status.lost], [0, undefined])
    for (const ended of [onTerminal, withInput]) await shim.client.release(ended)
  })

  // Older kernels tell only who listens.
  it('is known to have ended, and how, although nobody was there', { skip: pidfdsTellExits ? false : 'before Linux 6.15 a pidfd does not tell' }, async () => {
    const killed = await shim.run(['/bin/sleep', '100'])
    const exited = await shim.run(['/bin/sh', '-c', 'read line; echo last words; exit 9'], undefined, true)
    await loseShim(() => {
      process.kill(killed.started.pid, 'SIGKILL')
      const write = join(exited.runDirectory, 'stdin')
      writeFileSync(write, 'go\n')
    })
    const status = await shim.ended(killed)
    assert.deepEqual([status.code, status.signal, status.lost], [137, 9, undefined])
    assert.equal((await shim.ended(exited)).code, 9)
    assert.equal(output(exited), 'last words\n')
  })

  it('and whose engined was gone as well, is adopted by its pid and start time', async () => {
    const writer = await shim.run(['/bin/sh', '-c', 'trap "echo end; exit 6" USR1; for i in 1 2 3 4 5 6; do echo $i; sleep 0.05; done; while :; do sleep 0.05; done'])
    const gone = await shim.run(['/bin/true'])
    await shim.ended(gone)
    const { pid } = shim
    shim.client.close()
    process.kill(pid, 'SIGKILL')
    await sleep(150)
    await shim.connect()
    assert.deepEqual(await shim.client.list(), [])
    for (const { container, directory, runDirectory, cgroupsPath, started } of [writer, gone]) {
      await shim.client.adopt({ container, directory, runDirectory, cgroupsPath, pid: started.pid, startTime: started.startTime, stdin: false })
    }
    assert.equal((await shim.client.list()).find((listed) => keyText(listed) === gone.container)?.status?.code, 0)
    while (!output(writer).includes('6\n')) await sleep(20)
    process.kill(writer.started.pid, 'SIGUSR1')
    assert.equal((await shim.ended(writer)).code, 6)
    assert.equal(output(writer), '1\n2\n3\n4\n5\n6\nend\n')
  })

  it('that is another one by now is lost, and nothing is made up', async () => {
    const container = 'e'.repeat(64)
    const places = shim.places(container)
    await shim.client.adopt({ container, ...places, cgroupsPath: shim.cgroup, pid: process.pid, startTime: '1', stdin: false })
    const status = await shim.ended({ container })
    assert.deepEqual([status.code, status.lost], [255, true])
  })
})

describe('a full disk', () => {
  it('blocks the container, is reported, and loses nothing once there is room', async () => {
    const disk = join(shim.directory, 'small')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
    try {
      const places = shim.places.bind(shim)
      shim.places = (id) => {
        const made = places(id)
        rmSync(made.directory, { recursive: true })
        mkdirSync(join(disk, id))
        symlinkSync(join(disk, id), made.directory)
        return made
      }
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(1024 * 1024))
      const process = await shim.run(['/bin/sh', '-c', 'seq 250000'])
      shim.places = places
      const blocked = await shim.event((event) => event.event === 'blocked' && event.container === process.container)
      assert.ok(blocked.event === 'blocked' && blocked.reason === 'disk-full', JSON.stringify(blocked))
      const collector = new Collector(process, { keepText: true })
      collector.read()
      rmSync(join(disk, 'ballast'))
      assert.equal((await shim.ended(process)).code, 0)
      assert.ok(shim.events.some((event) => event.event === 'resumed' && event.container === process.container))
      collector.read()
      collector.close()
      assert.equal(collector.text, Array.from({ length: 250_000 }, (_, i) => `${i + 1}\n`).join(''))
      assert.ok(readdirSync(process.directory).includes('exit.json'))
    } finally {
      execFileSync('umount', ['-l', disk])
    }
  })
})
