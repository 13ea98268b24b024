import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { importBusybox } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { interrupt, removeEverything, together } from '../harness/kill-points.ts'

let daemon: TestDaemon

before(async () => {
  // All at once have more networks than Docker's pools on a host that uses some of them.
  daemon = await startDaemon({ 'default-address-pools': [{ base: '198.18.0.0/17', size: 26 }] })
  await importBusybox(connect(daemon.host))
})
after(() => daemon?.[Symbol.asyncDispose]())

describe('engined killed in the middle of everything', () => {
  // The moments of single operations are in the long test.
  for (const milliseconds of [4, 60, 250]) {
    it(`after ${milliseconds} ms leaves nothing half-made`, () => interrupt(daemon, together, milliseconds))
  }

  it('leaves nothing at all when all is removed', () => removeEverything(daemon, connect(daemon.host)))
})
