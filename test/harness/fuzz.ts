import assert from 'node:assert/strict'
import fc from 'fast-check'
import { connect, type Client } from '@engine/api/client'
import { importBusybox } from './containers.ts'
import { startDaemon, type TestDaemon } from './daemon.ts'
import { rows, settledDiscrepancies } from './host-state.ts'
import { removeEverything } from './kill-points.ts'
import { statusOf, wrongRequests, type WrongRequest } from './malformed-requests.ts'

/**
 * Sends `count` malformed requests, eight at a time, to a daemon of their own: none may be answered with a 500 or not at all, and
 * nothing may be left of them that the database does not know.
 * @param seed for the requests: the same seed sends the same
 */
export async function fuzz(count: number, seed: number): Promise<void> {
  await using daemon = await startDaemon({ 'log-level': 'info' })
  const client = connect(daemon.host)
  const queue = fc.sample(wrongRequests(), { numRuns: count, seed })
  const wrong: string[] = []
  for (let sent = 0; sent < count; sent += 400) {
    await prepare(client)
    const part = queue.slice(sent, sent + 400)
    await Promise.all(Array.from({ length: 8 }, () => worker(daemon, part, wrong)))
    assert.deepEqual(wrong.slice(0, 20), [], `seed ${seed}`)
  }
  assert.equal((await daemon.api('GET', '/_ping')).status, 200)
  assert.deepEqual(await settledDiscrepancies(daemon), [], `seed ${seed}`)
  // Also volumes that were asked for by no name, or outlived their containers.
  for (const { id } of rows(daemon).containers) await client.request('DELETE', `/containers/${id}`, { query: { force: true, v: true } })
  for (const name of rows(daemon).volumes) await client.request('DELETE', `/volumes/${encodeURIComponent(name)}`)
  await removeEverything(daemon, client)
  assert.deepEqual(daemon.log().split('\n').filter((line) => line.includes(' error ') || line.includes('"level":50')), [], `seed ${seed}`)
}

/** What the requests have to do with; earlier ones may have removed it. */
async function prepare(client: Client): Promise<void> {
  await importBusybox(client)
  await client.request('POST', '/containers/create', { query: { name: 'target' }, body: { Image: 'busybox', Cmd: ['true'] } }).catch(() => undefined)
}

async function worker(daemon: TestDaemon, queue: WrongRequest[], wrong: string[]): Promise<void> {
  for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
    const { status, text } = await statusOf(daemon.socket, request)
    // HEAD and malformed targets may be answered by closing; a hang or a fault of ours may not.
    if (status === 'hang' || status === 500 || status === 'closed') wrong.push(`${String(status)}: ${JSON.stringify(request)}\n${text.slice(-400)}`)
  }
}
