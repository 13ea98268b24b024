import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openBridgeHost } from '../harness/bridge-host.ts'
import { mountsBelow } from '../harness/network-host.ts'

describe('a run of these tests', () => {
  it('clears what one that died has left', async () => {
    // A process that makes a host with a namespace and is killed.
    const code = `const { openBridgeHost } = await import(${JSON.stringify(new URL('../harness/bridge-host.ts', import.meta.url).href)}); console.log((await openBridgeHost()).directory); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, [...process.execArgv.filter((option) => !option.startsWith('--test')), '--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const left = await new Promise<string>((resolve) => child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())))
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    assert.deepEqual(mountsBelow(left), [join(left, 'outside')])
    using _next = await openBridgeHost()
    assert.deepEqual(mountsBelow(left), [])
    assert.equal(existsSync(left), false)
  })
})
