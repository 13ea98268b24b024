import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@engine/api/client'
import { engineOk } from '../harness/command-line.ts'
import { importBusybox, startContainer } from '../harness/containers.ts'
import { startDaemon } from '../harness/daemon.ts'

test('events of before a kill are told to who asks for the past', async () => {
  await using daemon = await startDaemon()
  const client = connect(daemon.host)
  await importBusybox(client)
  const id = await startContainer(client, ['true'], { NetworkMode: 'none' })
  await client.request('POST', `/containers/${id}/wait`)
  await daemon.stop('SIGKILL')
  await daemon.start()
  await client.request('DELETE', `/containers/${id}`)
  const told = await engineOk(daemon.host, 'events', '--since', '10m', '--until', '0s', '-f', `container=${id}`, '--format', '{{.Action}}')
  assert.deepEqual(told.split('\n').slice(0, -1), ['create', 'start', 'die', 'destroy'])
})
