import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { claim } from './claim.ts'
import { writePidfile } from './pidfile.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-claim-'))
after(() => rmSync(directory, { recursive: true }))

describe('claim', () => {
  it('is for one at a time, and leaves nothing', () => {
    const file = join(directory, 'lock')
    const first = claim(file, 'data-root /x')
    assert.equal(readFileSync(file, 'utf8'), `${process.pid}\n`)
    assert.throws(() => claim(file, 'data-root /x'), (error) => error instanceof EngineError && error.code === 'conflict' && error.message === `data-root /x is in use by another engined (pid ${process.pid})`)
    first.release()
    assert.equal(existsSync(file), false)
    claim(file, 'data-root /x').release()
  })

  it('takes what a dead owner left', () => {
    const file = join(directory, 'stale')
    writeFileSync(file, '1\n')
    claim(file, 'x').release()
  })

  it('does not remove a file that has become another\'s', () => {
    const file = join(directory, 'moved')
    const first = claim(file, 'x')
    rmSync(file)
    const second = claim(file, 'x')
    first.release()
    assert.equal(existsSync(file), true)
    second.release()
  })
})

describe('pidfile', () => {
  it('names this process, and goes with it', () => {
    const file = join(directory, 'deep/pid')
    const remove = writePidfile(file)
    assert.equal(readFileSync(file, 'utf8'), `${process.pid}\n`)
    remove()
    assert.equal(existsSync(file), false)
  })

  it('of an engined that is dead, but that its parent has not noticed, is replaced', async (t) => {
    const file = join(directory, 'pid')
    copyFileSync('/bin/sleep', join(directory, 'engined'))
    // What the shell becomes does not wait for its children.
    const parent = spawn('sh', ['-c', `${join(directory, 'engined')} 60 & echo $!; exec sleep 60`], { stdio: ['ignore', 'pipe', 'ignore'] })
    t.after(() => parent.kill('SIGKILL'))
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string]
    const stat = (): string => readFileSync(`/proc/${Number(line)}/stat`, 'utf8')
    while (readFileSync(`/proc/${parent.pid}/comm`, 'utf8') !== 'sleep\n') await sleep(5)
    process.kill(Number(line), 'SIGKILL')
    while (!stat().includes(') Z ')) await sleep(5)
    assert.match(stat(), /\(engined\)/)
    writeFileSync(file, line)
    writePidfile(file)()
  })

  it('of a dead or foreign process is replaced', () => {
    const file = join(directory, 'pid')
    // Process 1 is no engined.
    for (const text of ['1\n', '4194304\n', 'nonsense', '']) {
      writeFileSync(file, text)
      writePidfile(file)()
    }
  })
})
