import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Client } from '@engine/api/client'
import { createContainer, importBusybox, startContainer } from './containers.ts'
import type { TestDaemon } from './daemon.ts'
import { rows, settledDiscrepancies } from './host-state.ts'
import { networkOperations } from './network-operations.ts'
import { severally, type Operation } from './operation.ts'
import { settledSandboxDiscrepancies } from './sandbox-state.ts'

const binds = { Binds: ['kept:/kept', '/etc:/host:ro'] }
const withVolume = { Volumes: { '/own': {} } }

/** A build's context with this Dockerfile, as a tar. */
export function contextTar(dockerfile: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'engine-context-'))
  try {
    writeFileSync(join(directory, 'Dockerfile'), dockerfile)
    writeFileSync(join(directory, 'file'), 'of the context\n')
    return execFileSync('tar', ['-C', directory, '-cf', '-', '.'], { maxBuffer: 1 << 26 })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

let counter = 0

async function finish(stream: Awaited<ReturnType<Client['stream']>>): Promise<void> {
  for await (const line of stream.lines<{ error?: string }>()) if (line.error !== undefined) throw new Error(line.error)
}

/** The operations that change what is on the host. */
export const operations: readonly Operation[] = [
  { name: 'container create', prepare: (client) => severally(async () => () => createContainer(client, ['sleep', '100'], binds, withVolume)) },
  {
    name: 'container start',
    prepare: (client) => severally(async () => {
      const id = await createContainer(client, ['sleep', '100'], { ...binds, IpcMode: 'shareable' })
      return () => client.request('POST', `/containers/${id}/start`)
    }),
  },
  {
    name: 'container kill',
    prepare: (client) => severally(async () => {
      const id = await startContainer(client, ['sleep', '100'], binds)
      return () => client.request('POST', `/containers/${id}/kill`)
    }),
  },
  {
    name: 'container removal',
    prepare: (client) => severally(async () => {
      const id = await createContainer(client, ['true'], binds, withVolume)
      return () => client.request('DELETE', `/containers/${id}`, { query: { v: true } })
    }),
  },
  {
    name: 'forced removal of a running container',
    prepare: (client) => severally(async () => {
      const id = await startContainer(client, ['sleep', '100'], binds, withVolume)
      return () => client.request('DELETE', `/containers/${id}`, { query: { v: true, force: true } })
    }),
  },
  {
    name: 'run --rm',
    prepare: (client) => severally(async () => async () => {
      const id = await createContainer(client, ['echo', 'gone'], { AutoRemove: true, ...binds }, withVolume)
      const waited = await client.stream('POST', `/containers/${id}/wait`, { query: { condition: 'removed' } })
      await client.request('POST', `/containers/${id}/start`)
      await waited.body.toArray()
    }),
  },
  {
    name: 'exec',
    prepare: async (client) => {
      const id = await startContainer(client, ['sleep', '100'])
      return severally(async () => async () => {
        const { body } = await client.request<{ Id: string }>('POST', `/containers/${id}/exec`, { body: { Cmd: ['sleep', '0.02'], AttachStdout: true } })
        await client.request('POST', `/exec/${body.Id}/start`, { body: { Detach: true } })
        while ((await client.request<{ Running: boolean }>('GET', `/exec/${body.Id}/json`)).body.Running) await sleep(1)
      }).then((work) => work)
    },
  },
  { name: 'import', prepare: async (client) => () => importBusybox(client, `imported:${++counter}`, [`LABEL number=${counter}`]) },
  {
    name: 'import of an image of its own layer',
    prepare: async (client) => {
      const tar = contextTar(`LABEL ${++counter}`)
      return async () => finish(await client.stream('POST', '/images/create', { query: { fromSrc: '-', repo: 'imported' }, body: tar }))
    },
  },
  {
    name: 'commit',
    prepare: async (client) => {
      const id = await startContainer(client, ['sh', '-c', `echo ${++counter} > /written; sleep 100`])
      return () => client.request('POST', '/commit', { query: { container: id, repo: 'committed', tag: String(counter) } })
    },
  },
  {
    name: 'build',
    prepare: async (client) => {
      const context = contextTar(`FROM busybox\nRUN echo ${++counter} > /made\nCOPY file /copied-${counter}\nRUN echo last ${counter} > /last\n`)
      return async () => finish(await client.stream('POST', '/build', { query: { t: `built:${counter}`, rm: true, forcerm: true }, body: context }))
    },
  },
  {
    name: 'removal of an image',
    prepare: async (client) => {
      const context = contextTar(`FROM busybox\nCOPY file /copied-${++counter}\nCOPY Dockerfile /\n`)
      await finish(await client.stream('POST', '/build', { query: { t: 'built' }, body: context }))
      return () => client.request('DELETE', '/images/built')
    },
  },
  {
    name: 'volumes',
    prepare: (client) => severally(async () => {
      const name = `volume-${++counter}`
      return async () => {
        await client.request('POST', '/volumes/create', { body: { Name: name } })
        await client.request('DELETE', `/volumes/${name}`)
      }
    }),
  },
  ...networkOperations,
]

/** All of them at the same time. */
export const together: Operation = {
  name: 'everything at once',
  async prepare(client) {
    const works: (() => Promise<unknown>)[] = []
    for (const operation of operations) works.push(await operation.prepare(client))
    return () => Promise.allSettled(works.map((work) => work()))
  },
}

/** Waits exactly so long. @param milliseconds may have a fraction */
async function pause(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds
  // A timer's millisecond is long here; the rest is counted while the other processor works.
  if (milliseconds > 3) await sleep(milliseconds - 3)
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
}

/** How long an operation takes that nobody disturbs. @returns milliseconds */
export async function duration(daemon: TestDaemon, operation: Operation): Promise<number> {
  const client = connect(daemon.host)
  const work = await operation.prepare(client)
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

/**
 * Begins an operation, kills the daemon so many milliseconds later, starts it again, and compares the host with the database;
 * then every container there is, is inspected, started and removed.
 */
export async function interrupt(daemon: TestDaemon, operation: Operation, milliseconds: number): Promise<void> {
  const client = connect(daemon.host)
  const work = (await operation.prepare(client))().then(() => 'done', () => 'broken off')
  await pause(milliseconds)
  await daemon.stop('SIGKILL')
  await work
  const logged = daemon.log().length
  await daemon.start()
  const moment = `${operation.name}, killed after ${milliseconds.toFixed(2)} ms`
  assert.deepEqual(await settledDiscrepancies(daemon), [], `${moment}\n${daemon.log().slice(logged)}`)
  assert.deepEqual(await settledSandboxDiscrepancies(daemon), [], `${moment}\n${daemon.log().slice(logged)}`)
  const trouble = daemon.log().slice(logged).split('\n').filter((line) => / (error|fatal) /.test(line))
  assert.deepEqual(trouble, [], moment)
  await useAndRemove(daemon, client, moment)
}

/** Inspects, starts and removes every container; afterwards nothing of any is left. */
export async function useAndRemove(daemon: TestDaemon, client: Client, moment = ''): Promise<void> {
  for (const { id } of rows(daemon).containers) {
    const { State, Config } = (await client.request<{ State: { Status: string }; Config: object }>('GET', `/containers/${id}/json`)).body
    assert.ok(['created', 'running', 'exited'].includes(State.Status), `${moment}: ${JSON.stringify([State, Config])}`)
    try {
      if (State.Status !== 'running') await client.request('POST', `/containers/${id}/start`)
      await client.request('DELETE', `/containers/${id}`, { query: { force: true, v: true } })
    } catch (error) {
      // One of --rm is gone as soon as it has ended.
      const gone = error instanceof Error && 'status' in error && (error.status === 404 || error.status === 409)
      if (!gone) throw new Error(`${moment}: ${JSON.stringify([State, Config])}: ${String(error)}\n${daemon.log().slice(-3000)}`, { cause: error })
    }
  }
  // Those that an operation had, and one that was made, or not removed, before the death.
  await client.request('POST', '/networks/prune')
  assert.deepEqual(await settledDiscrepancies(daemon), [], `${moment}, afterwards`)
  assert.deepEqual(rows(daemon).networks.filter(({ bridge }) => bridge !== ''), [], `${moment}, networks`)
  const { containers, volumes } = rows(daemon)
  assert.deepEqual({ containers, anonymous: volumes.filter((name) => /^[0-9a-f]{64}$/.test(name)) }, { containers: [], anonymous: [] }, moment)
}

/** Removes every image, container and volume; afterwards nothing is left. */
export async function removeEverything(daemon: TestDaemon, client: Client): Promise<void> {
  await useAndRemove(daemon, client)
  for (;;) {
    const { body } = await client.request<{ Id: string }[]>('GET', '/images/json', { query: { all: true } })
    if (body.length === 0) break
    for (const { Id } of body) await client.request('DELETE', `/images/${Id}`, { query: { force: true } }).catch(() => undefined)
  }
  for (const name of rows(daemon).volumes) await client.request('DELETE', `/volumes/${name}`)
  assert.deepEqual(await settledDiscrepancies(daemon), [])
  const { images, layers, containers, volumes } = rows(daemon)
  assert.deepEqual({ images, layers, containers, volumes }, { images: [], layers: [], containers: [], volumes: [] })
}
