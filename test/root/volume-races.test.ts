import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { openTestEngine, removal } from '../harness/engine.ts'

it('volumes of containers that are being made are not pruned, and those of one that could not be made go', async () => {
  const { engine, create } = await openTestEngine({ after })
  const all = new Map([['all', ['1']]])
  const made = new AbortController()
  let pruned = 0
  const pruning = (async () => {
    for (; !made.signal.aborted; await setImmediate()) pruned += (await engine.volumes.prune(all)).VolumesDeleted.length
  })()
  const ids = await Promise.all(Array.from({ length: 12 }, (_, i) => create(['true'], { Binds: [`named-${i}:/n`] }, { Volumes: { '/data': {} } })))
  made.abort()
  await pruning
  assert.equal(pruned, 0)
  for (const id of ids) {
    const { Mounts } = await engine.containers.inspect(id, { size: false })
    assert.equal(Mounts.length, 2)
    for (const { Name, Source } of Mounts) assert.deepEqual([(await engine.volumes.inspect(Name ?? '')).Mountpoint, existsSync(Source)], [Source, true])
  }
  await assert.rejects(engine.volumes.remove('named-0', false), { message: `remove named-0: volume is in use - [${ids[0]}]` })
  for (const id of ids) await engine.containers.remove(id, removal)
  await assert.rejects(create(['true'], { Binds: ['named-0:/n'] }, { Volumes: { '/bin/busybox': {} } }), /cannot mount volume over existing file/)
  assert.deepEqual((await engine.volumes.prune(all)).VolumesDeleted.sort(), Array.from({ length: 12 }, (_, i) => `named-${i}`).sort())
})
