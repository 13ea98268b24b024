import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { connect, type Client } from '@engine/api/client'
import { createContainer, importBusybox, inspectContainer, startContainer, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { hostState, rows, settledDiscrepancies } from '../harness/host-state.ts'

const MiB = 1024 * 1024

describe('under load', () => {
  let daemon: TestDaemon
  let client: Client

  before(async () => {
    daemon = await startDaemon({ 'log-level': 'info' })
    client = connect(daemon.host)
    await importBusybox(client)
  })
  after(() => daemon?.[Symbol.asyncDispose]())

  /** Does `count` pieces of work by eight clients at once. */
  async function byEight(count: number, work: (client: Client, index: number) => Promise<void>): Promise<void> {
    let next = 0
    await Promise.all(Array.from({ length: 8 }, async () => {
      const own = connect(daemon.host)
      for (let index = next++; index < count; index = next++) await work(own, index)
    }))
  }

  it('starts 200 containers for eight clients at once, and removes them', { timeout: 175_000 }, async () => {
    const ids: string[] = []
    await byEight(200, async (own) => void ids.push(await startContainer(own, ['sleep', '10000'])))
    const addresses = new Set<string>()
    for (const id of ids) {
      const { State, NetworkSettings } = await inspectContainer(client, id)
      assert.equal(readFileSync(`/proc/${State.Pid}/cmdline`, 'utf8'), ['sleep', '10000', ''].join('\0'))
      addresses.add(NetworkSettings.Networks['bridge']?.IPAddress ?? '')
    }
    assert.equal(addresses.size, 200)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    await byEight(200, async (own, index) => void await own.request('DELETE', `/containers/${ids[index]}`, { query: { force: true } }))
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    assert.deepEqual(rows(daemon).containers, [])
  })

  it('leaves nothing behind after 1,000 starts and removals', { timeout: 175_000 }, async () => {
    const cycle = async (): Promise<void> => {
      const id = await startContainer(client, ['true'])
      await client.request('POST', `/containers/${id}/wait`)
      await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
    }
    // What is opened once, and kept, is open after these.
    for (let i = 0; i < 20; i++) await cycle()
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    const before = traces()
    for (let i = 0; i < 1000; i++) await cycle()
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    await until('as many descriptors as before', () => traces().descriptors.every((count, index) => count <= (before.descriptors[index] ?? 0) + 4))
    const { descriptors: _before, ...earlier } = before
    const { descriptors: _after, ...later } = traces()
    assert.deepEqual(later, earlier)
  })

  /** Everything of the daemon's on the host and in its database, and how many descriptors engined and the shim hold. */
  function traces(): { readonly descriptors: readonly number[]; readonly host: object; readonly rows: object; readonly links: number; readonly namespaces: number } {
    return {
      host: hostState(daemon),
      rows: rows(daemon),
      links: readdirSync('/sys/class/net').filter((name) => existsSync(`/sys/class/net/${name}/master`) && readFileSync(`/sys/class/net/${name}/uevent`, 'utf8').includes(daemon.bridge)).length,
      namespaces: readdirSync(`${daemon.execRoot}/netns`).length,
      descriptors: [daemon.pid(), daemon.shimPid()].map((pid) => readdirSync(`/proc/${pid}/fd`).length),
    }
  }

  it('streams 200 MiB through attach and logs without growing', { timeout: 175_000 }, async () => {
    const bytes = 200 * MiB
    const line = '0123456789'.repeat(10).slice(1)
    const id = await createContainer(client, ['sh', '-c', `yes ${line} | head -c ${bytes}`])
    const { socket, head } = await client.hijack('POST', `/containers/${id}/attach`, { query: { stream: true, stdout: true, stderr: true } })
    if (head.length > 0) socket.unshift(head)
    const quiet = memory(daemon.pid())
    let highest = 0
    const watch = setInterval(() => (highest = Math.max(highest, memory(daemon.pid()))), 50)
    try {
      const attached = payload(socket)
      await client.request('POST', `/containers/${id}/start`)
      assert.equal(await attached, bytes)
      const { body } = await client.stream('GET', `/containers/${id}/logs`, { query: { stdout: true, stderr: true } })
      assert.equal(await payload(body), bytes)
    } finally {
      clearInterval(watch)
    }
    // What streams is moved in memory that is used again and again: some buffers, and garbage of small objects.
    assert.ok(highest - quiet < 48 * MiB, `engined grew from ${Math.round(quiet / MiB)} to ${Math.round(highest / MiB)} MiB`)
    await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
  })
})

/** Memory of a process that is no file's: bytes (proc_pid_status(5)). */
function memory(pid: number): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

/** How many bytes the frames of a stream hold, without keeping them: each has a header of 8 bytes with its length in the last four. */
async function payload(stream: Readable): Promise<number> {
  let total = 0
  let header = Buffer.alloc(0)
  let left = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const part = chunk.subarray(at, at + 8 - header.length)
        header = Buffer.concat([header, part])
        at += part.length
        if (header.length < 8) break
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
        continue
      }
      const taken = Math.min(left, chunk.length - at)
      total += taken
      left -= taken
      at += taken
    }
  }
  return total
}
