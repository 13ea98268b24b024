import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { importBusybox } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { duration, interrupt, operations, removeEverything, together } from '../harness/kill-points.ts'

/** Moments of each operation, evenly over its time, each a little off. */
const moments = 6

let daemon: TestDaemon

before(async () => {
  // Everything at once twice is thirty networks: more than Docker's pools have on a host that uses some of them.
  daemon = await startDaemon({ 'default-address-pools': [{ base: '198.18.0.0/17', size: 26 }] })
  await importBusybox(connect(daemon.host))
})
after(() => daemon?.[Symbol.asyncDispose]())

describe('engined killed in the middle leaves nothing half-made', () => {
  for (const operation of operations) {
    it(`of: ${operation.name}`, async () => {
      // The first one is slow: code is compiled, caches are empty.
      await duration(daemon, operation)
      const whole = await duration(daemon, operation)
      for (let moment = 0; moment < moments; moment++) await interrupt(daemon, operation, (whole * 1.1 * (moment + Math.random())) / moments)
    })
  }

  it('of everything at once, at any moment', async () => {
    const whole = await duration(daemon, together)
    for (let round = 0; round < moments; round++) await interrupt(daemon, together, whole * Math.random())
  })

  it('and nothing at all stays when all is removed', () => removeEverything(daemon, connect(daemon.host)))
})
