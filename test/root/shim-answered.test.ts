import assert from 'node:assert/strict'
import { closeSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStat } from '@engine/linux/process-stat'
import type { ShimMessage } from '../../packages/runtime/src/shim/protocol.ts'
import { startShim } from '../../packages/runtime/src/shim/start-shim.ts'
import { patience } from '../harness/patience.ts'
import { ShimProxy } from '../harness/shim-proxy.ts'
import { output, shimProgram, TestShim, type TestProcess } from '../harness/shim.ts'

let shim: TestShim
let proxy: ShimProxy

before(async () => {
  shim = await TestShim.start()
  proxy = await ShimProxy.listen(join(shim.directory, 'proxy.sock'), shim.socketPath)
  shim.client.close()
  await shim.connect(join(shim.directory, 'proxy.sock'))
})

after(async () => {
  await shim?.[Symbol.asyncDispose]()
  await proxy?.[Symbol.asyncDispose]()
})

const isStarted = (message: ShimMessage): boolean => 'id' in message && typeof message.result === 'object' && message.result !== null && 'records' in message.result

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let end = Date.now() + 10_000 * patience; !holds(); await sleep(5)) assert.ok(Date.now() < end, `not in time: ${what}`)
}

const isGone = (pid: number): boolean => (processStat(pid)?.state ?? 'X') === 'X'

/** Kills the shim for good, after `meanwhile`, in which it does nothing any more; the processes that ended are reaped by somebody else. */
async function killShim(meanwhile: () => Promise<void> | void): Promise<void> {
  const { pid } = shim
  process.kill(pid, 'SIGSTOP')
  try {
    await until('the shim stands still', () => processStat(pid)?.state === 'T')
    await meanwhile()
  } finally {
    process.kill(pid, 'SIGKILL')
  }
  // A child of this process: Node reaps it.
  await until('the shim is gone', () => isGone(pid))
}

function nextShim(): void {
  startShim({ nodeBinary: process.execPath, program: shimProgram, socketPath: shim.socketPath })
}

async function answerOf(starting: Promise<TestProcess>): ReturnType<ShimProxy['hold']> {
  return Promise.race([proxy.hold(isStarted), starting.then(() => assert.fail('the answer was not held'))])
}

/** Starts a process; its shim answers and is killed before the answer arrives, when `meanwhile` has been done. */
async function loseShimThatAnswered(start: () => Promise<TestProcess>, meanwhile: (pid: number) => Promise<void> | void = () => undefined): Promise<TestProcess> {
  const lost = new Promise<unknown>((resolve) => shim.client.onLost(resolve))
  const starting = start()
  const held = await answerOf(starting)
  const { pid } = (held.message as { readonly result: { readonly pid: number } }).result
  await killShim(() => meanwhile(pid))
  held.release()
  const started = await starting
  nextShim()
  await lost
  return started
}

describe('what a process prints whose shim is killed when it has answered, but engined has not read that yet', () => {
  const lastWords = ['/bin/sh', '-c', 'while ! test -e /tmp/go; do usleep 5000; done; rm /tmp/go; echo last words; exit 9']
  const endIt = async (pid: number): Promise<void> => {
    writeFileSync(join(shim.root, 'tmp/go'), '')
    await until('the process has ended', () => processStat(pid)?.state === 'Z')
  }

  it('is not lost, nor how it ended, although it has ended by then', async () => {
    const started = await loseShimThatAnswered(() => shim.run(lastWords), endIt)
    const status = await shim.ended(started)
    assert.deepEqual([output(started), status.code, status.lost], ['last words\n', 9, undefined])
    await shim.client.release(started)
  })

  it('nor of an exec', async () => {
    const container = await shim.run(['/bin/sleep', '1000'])
    const started = await loseShimThatAnswered(() => shim.exec(container, lastWords), endIt)
    const status = await shim.ended(started)
    assert.deepEqual([output(started), status.code, status.lost], ['last words\n', 9, undefined])
    await shim.client.release(started)
    process.kill(container.started.pid, 'SIGKILL')
    await shim.ended(container)
    await shim.client.release(container)
  })

  it('and its terminal and its standard input stay open', async () => {
    const onTerminal = await loseShimThatAnswered(() => shim.run(['/bin/sh', '-c', 'read line; echo "<$line>"; exit 5'], (spec) => ({ ...spec, process: { ...spec.process, terminal: true } })))
    const withInput = await loseShimThatAnswered(() => shim.run(['/bin/sh', '-c', 'cat; exit 6'], undefined, true))
    const master = await shim.client.terminal(onTerminal)
    writeFileSync(master, 'typed\n')
    closeSync(master)
    assert.equal((await shim.ended(onTerminal)).code, 5)
    assert.match(output(onTerminal), /<typed>\r\n/)
    await assert.rejects(shim.ended(withInput, 50), /no such event/)
    writeFileSync(join(withInput.runDirectory, 'stdin'), 'written\n')
    await shim.client.closeStdin(withInput)
    assert.equal((await shim.ended(withInput)).code, 6)
    assert.equal(output(withInput), 'written\n')
    for (const process of [onTerminal, withInput]) await shim.client.release(process)
  })
})

describe('an answer that never arrives', () => {
  it('is of a process that does not go on: it was said not to have started', async () => {
    const container = await shim.run(['/bin/sleep', '1000'])
    const starting = shim.exec(container, ['/bin/sleep', '1000'])
    const held = await answerOf(starting)
    const { pid } = (held.message as { readonly result: { readonly pid: number } }).result
    await killShim(() => assert.ok(existsSync(`/proc/${pid}`)))
    held.drop()
    await assert.rejects(starting, { code: 'unavailable', message: 'the connection to the shim was lost' })
    await until('the process is gone', () => isGone(pid))
    nextShim()
    assert.deepEqual((await shim.client.list()).map((each) => each.pid), [container.started.pid])
    process.kill(container.started.pid, 'SIGKILL')
    assert.equal((await shim.ended(container)).code, 137)
  })

  it('to a client that connects is waited for from the next shim', async () => {
    shim.client.close()
    proxy.cut((message) => 'hello' in message)
    await shim.connect(join(shim.directory, 'proxy.sock'))
    shim.client.close()
    proxy.cut((message) => 'id' in message)
    await shim.connect(join(shim.directory, 'proxy.sock'))
    assert.ok(Array.isArray(await shim.client.list()))
  })
})
