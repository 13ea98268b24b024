import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { processStat } from '@engine/linux/process-stat'
import { until } from '../harness/containers.ts'
import { output, TestShim, type TestProcess } from '../harness/shim.ts'

let shim: TestShim

before(async () => {
  shim = await TestShim.start()
})
after(() => shim?.[Symbol.asyncDispose]())

const keeper = (): number => Number(readFileSync(join(shim.directory, 'keeper'), 'latin1').split(' ')[0])
const runs = (pid: number): boolean => !['Z', undefined].includes(processStat(pid)?.state)

/** What the keeper has of a process, as the kernel names it. */
function kept({ runDirectory }: TestProcess): string[] {
  const numbers = readdirSync(`/proc/${keeper()}/fd`).map(Number).sort((a, b) => a - b)
  const links = numbers.map((fd) => ({ fd, to: readlinkSync(`/proc/${keeper()}/fd/${fd}`) }))
  const first = links.find(({ to }) => to === runDirectory)?.fd ?? Infinity
  return links.filter(({ fd }) => fd > first && fd < first + 6).map(({ to }) => to.replace(`${runDirectory}/`, ''))
}

/** The shim is killed, and who had its process held too. */
async function loseBoth(meanwhile: () => void): Promise<void> {
  shim.client.close()
  process.kill(shim.pid, 'SIGKILL')
  meanwhile()
  await shim.connect()
}

const adopt = ({ container, directory, runDirectory, cgroupsPath, started: { pid, startTime } }: TestProcess, stdin = false): Promise<void> =>
  shim.client.adopt({ container, directory, runDirectory, cgroupsPath, pid, startTime, stdin })

describe('the keeper', () => {
  it('has what the shim has of a process, as long as it has it, and no memory', async () => {
    const process_ = await shim.run(['/bin/sh', '-c', 'read line; exit 3'], (spec) => spec, true)
    await until('it is kept', () => kept(process_).length === 4)
    assert.deepEqual(kept(process_), ['anon_inode:[pidfd]', 'stdout', 'stderr', 'stdin'])
    const status = readFileSync(`/proc/${keeper()}/status`, 'utf8')
    assert.ok(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) < 200, status)
    assert.match(readlinkSync(`/proc/${keeper()}/exe`), /memfd/)
    await shim.client.closeStdin(process_)
    assert.equal((await shim.ended(process_)).code, 3)
    await until('it is kept no more', () => kept(process_).length === 0)
    await shim.client.release(process_)
  })

  it('is replaced with all that it has when it is killed, or takes no orders', async () => {
    const process_ = await shim.run(['/bin/sleep', '100'])
    await until('it is kept', () => kept(process_).length === 3)
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      const first = keeper()
      process.kill(first, signal)
      const others: TestProcess[] = []
      // Its queue fills up only by many orders.
      const most = signal === 'SIGSTOP' ? 400 : 0
      for (let i = 0; i < most && runs(first); i++) others.push(await shim.exec(process_, ['/bin/true']))
      await until('there is another', () => keeper() !== first && kept(process_).length === 3)
      assert.equal(runs(first), false)
      for (const exec of others) {
        await shim.ended(exec)
        await shim.client.release(exec)
      }
    }
    process.kill(process_.started.pid, 'SIGKILL')
    await shim.ended(process_)
    await shim.client.release(process_)
  })

  it('has the end and the last words of a process that nobody saw end', async () => {
    const process_ = await shim.run(['/bin/sh', '-c', 'read line; echo "$line"; exit 7'], (spec) => spec, true)
    const silent = await shim.run(['/bin/sleep', '100'])
    const before = keeper()
    await loseBoth(() => {
      process.kill(silent.started.pid, 'SIGKILL')
    })
    assert.notEqual(keeper(), before)
    assert.equal(runs(before), false)
    await adopt(process_, true)
    await adopt(silent)
    const ended = await shim.ended(silent)
    assert.deepEqual([ended.code, ended.signal, ended.lost], [137, 9, undefined])
    await shim.client.renounce()
    await until('it is kept anew', () => kept(process_).length === 4)
    // Once more: the next shim has it from this one's keeper.
    await loseBoth(() => undefined)
    await adopt(process_, true)
    await shim.client.closeStdin(process_)
    assert.equal((await shim.ended(process_)).code, 7)
    assert.equal(output(process_), '\n')
    for (const each of [process_, silent]) await shim.client.release(each)
  })

  it('lets go of what nobody wants, and ends by itself when it has nothing and the shim is gone', async () => {
    const process_ = await shim.run(['/bin/cat'], (spec) => spec, true)
    await loseBoth(() => undefined)
    const { pid } = process_.started
    assert.ok(runs(pid))
    await shim.client.renounce()
    await until('its input came to its end', () => !runs(pid))
    const last = keeper()
    shim.client.close()
    process.kill(shim.pid, 'SIGKILL')
    await until('it has ended', () => !runs(last))
    await shim.connect()
  })
})
