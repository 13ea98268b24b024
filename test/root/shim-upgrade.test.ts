import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connectShim } from '@engine/runtime'
import { TestShim } from '../harness/shim.ts'

const program = join(import.meta.dirname, '../../packages/runtime/src/shim/main.ts')

describe('a shim whose program is replaced on the disk', () => {
  it('knows that it is outdated, and is upgraded in place while its containers run', async () => {
    await using shim = await TestShim.start()
    assert.equal(await shim.client.outdated(), false)
    const container = await shim.run(['/bin/sh', '-c', 'while ! test -e /tmp/go; do sleep 0.02; done; echo after; exit 5'])
    // As an installation does it: beside, then renamed into place. It runs the same code.
    const installed = join(shim.directory, 'engine-shim.mjs')
    const install = (): void => {
      writeFileSync(`${installed}.new`, `// ${randomBytes(4).toString('hex')}\nimport ${JSON.stringify(program)}\n`)
      renameSync(`${installed}.new`, installed)
    }
    install()
    shim.client.close()
    const client = await connectShim({ nodeBinary: process.execPath, program: installed, socketPath: shim.socketPath, managed: true, log: () => undefined })
    assert.equal(await client.outdated(), true)
    const { pid } = shim
    await client.upgrade(installed)
    assert.equal(await client.outdated(), false)
    assert.equal(shim.pid, pid)
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /engine-shim\.mjs/)
    install()
    assert.equal(await client.outdated(), true)
    await client.upgrade(installed)
    assert.equal(await client.outdated(), false)
    client.close()
    await shim.connect()
    const [listed] = await shim.client.list()
    assert.equal(listed?.pid, container.started.pid)
    writeFileSync(join(shim.root, 'tmp/go'), '')
    assert.equal((await shim.ended(container)).code, 5)
  })
})
