import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { it } from 'node:test'
import { processStat } from '@engine/linux/process-stat'
import { connectShim } from '@engine/runtime'
import { TestShim } from '../harness/shim.ts'

it('a shim that comes back late, started by somebody else, is found and adopts what runs', async () => {
  await using shim = await TestShim.start()
  const container = await shim.run(['sleep', '1000'])
  shim.client.close()
  const client = await connectShim({ nodeBinary: '/nowhere', program: '/nowhere', socketPath: shim.socketPath, managed: true, patience: 100, log: () => undefined })
  try {
    const { promise: lost, resolve } = Promise.withResolvers<'lost'>()
    client.onLost(() => resolve('lost'))
    const { pid } = shim
    process.kill(pid, 'SIGKILL')
    while ((processStat(pid)?.state ?? 'Z') !== 'Z') await sleep(5)
    await sleep(20)
    await assert.rejects(client.list(), { code: 'unavailable', message: /^no shim listens at |^the connection to the shim was lost$/ })
    // Longer than any one attempt takes.
    assert.equal(await Promise.race([lost, sleep(1000, 'nothing yet')]), 'nothing yet')
    await shim.connect()
    shim.client.close()
    assert.equal(await Promise.race([lost, sleep(10_000, 'nothing', { ref: false })]), 'lost')
    const listed = (await client.list()).map((each) => [each.container, each.pid])
    assert.deepEqual(listed, [[container.container, container.started.pid]])
  } finally {
    client.close()
  }
  await shim.connect()
})
