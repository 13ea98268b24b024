import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytesRequest, dockerArchive, file, load, tarOf } from '../harness/archives.ts'
import { engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { layerTar } from '../harness/layer-tar.ts'

let daemon: TestDaemon
before(async () => {
  daemon = await startDaemon()
})
after(() => daemon?.[Symbol.asyncDispose]())

interface Summary {
  readonly Id: string
  readonly RepoTags: readonly string[]
}

const MiB = 1 << 20
const hour = 3_600_000

/** Ends the daemon, changes what it has written down and what it is told, and starts it again: hours pass in the database. */
async function restart(settings: Readonly<Record<string, unknown>>, change: (db: DatabaseSync) => void): Promise<number> {
  await daemon.stop()
  {
    using db = new DatabaseSync(join(daemon.dataRoot, 'engine.db'))
    change(db)
  }
  const path = join(daemon.directory, 'engine.json')
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...settings }))
  const logged = daemon.log().length
  await daemon.start()
  return logged
}

const tags = async (): Promise<string[]> => ((await daemon.api('GET', '/images/json')).body as Summary[]).flatMap(({ RepoTags }) => RepoTags).sort()

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400 && !(await what()); i++) await sleep(50)
}

/** Action and id of events of a kind, up to the end of a pruning. @param since seconds since the epoch */
async function eventsOf(type: string, since: number): Promise<(readonly [action: string, id: string])[]> {
  for (let i = 0; ; i++) {
    const { text } = await daemon.api('GET', `/events?since=${since}&until=${Math.floor(Date.now() / 1000) + 1}&filters=${encodeURIComponent(JSON.stringify({ type: [type] }))}`)
    const events = text.trim().split('\n').map((line) => JSON.parse(line) as { Action: string; Actor: { ID: string } })
    // It comes when everything else is done.
    if (events.at(-1)?.Action === 'prune' || i === 10) return events.map(({ Action, Actor }) => [Action, Actor.ID])
  }
}

const budgets = async (): Promise<unknown> => ((await daemon.api('GET', '/system/df')).body as { Budgets?: unknown }).Budgets

describe('images within a limit', () => {
  const ids = new Map<string, string>()
  before(async () => {
    const base = layerTar({ base: randomBytes(MiB) })
    for (const name of ['held', 'old', 'middle', 'new']) {
      assert.equal((await load(daemon.socket, dockerArchive([base, layerTar({ [name]: randomBytes(MiB) })], [`${name}:1`]))).status, 200)
    }
    for (const { Id, RepoTags: [name] } of (await daemon.api('GET', '/images/json')).body as Summary[]) ids.set((name ?? '').slice(0, -2), Id)
    assert.equal((await daemon.api('POST', '/images/old:1/tag?repo=another&tag=2')).status, 201)
    assert.equal((await daemon.api('POST', '/containers/create?name=stopped', { Image: 'held:1', Cmd: ['/x'], HostConfig: { NetworkMode: 'none' } })).status, 201)
  })

  const age = (hours: Readonly<Record<string, number>>) => (db: DatabaseSync): void => {
    const set = db.prepare('UPDATE image_uses SET used_at = ? WHERE image_id = ?')
    for (const [name, ago] of Object.entries(hours)) assert.equal(set.run(Date.now() - ago * hour, ids.get(name) ?? '').changes, 1)
  }

  it('go when they are longest unused, with all their names and their files, but not what a container has', async () => {
    const since = Math.floor(Date.now() / 1000)
    // Each layer is there twice: its files, and its tar. Five of them, and four are to stay.
    const limit = 8 * MiB + 200_000
    const logged = await restart({ 'image-max-size': limit }, age({ held: 4, old: 3, middle: 2, new: 1 }))
    await until(async () => !(await tags()).includes('old:1'))
    assert.deepEqual(await tags(), ['held:1', 'middle:1', 'new:1'])
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    const log = daemon.log().slice(logged)
    assert.match(log, /images take more than image-max-size/)
    assert.equal(log.match(/image-max-size/g)?.length, 1)
    const told = (await eventsOf('image', since)).filter(([action]) => action !== 'load' && action !== 'tag')
    assert.deepEqual(told, [['untag', ids.get('old')], ['untag', ids.get('old')], ['delete', ids.get('old')], ['prune', '']])
    const { Images } = (await budgets()) as { Images: { MaxSize: number; Size: number } }
    assert.equal(Images.MaxSize, limit)
    assert.ok(Images.Size > 8 * MiB && Images.Size <= limit, String(Images.Size))
    const { DriverStatus } = (await daemon.api('GET', '/info')).body as { DriverStatus: [string, string][] }
    assert.ok(DriverStatus.some(([key, value]) => key === 'Image Max Size' && value === `${limit} bytes`))
    assert.match((await engine(daemon.host, 'system', 'df')).stdout, /\nImages: 8\.\d+MB of at most 8\.\d+MB\n/)
  })

  it('stay for two minutes after their last use, and the use of a container counts', async () => {
    // The container cannot run: there is no such program. That it was removed is its image's last use.
    assert.equal((await daemon.api('DELETE', '/containers/stopped')).status, 204)
    await restart({ 'image-max-size': '5M' }, age({ middle: 2, new: 1 }))
    await until(async () => (await tags()).length === 1)
    assert.deepEqual(await tags(), ['held:1'])
    await restart({ 'image-max-size': '3M' }, age({}))
    // What would go goes at once at the start, or a minute later.
    await sleep(1500)
    assert.deepEqual(await tags(), ['held:1'])
    await restart({}, age({ held: 1 }))
    await until(async () => (await tags()).length === 0)
    assert.deepEqual(await tags(), [])
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })

  it('are looked at when one has come, not only each minute', async () => {
    assert.equal((await load(daemon.socket, dockerArchive([layerTar({ first: randomBytes(MiB) })], ['first:1']))).status, 200)
    for (const { Id } of (await daemon.api('GET', '/images/json')).body as Summary[]) ids.set('first', Id)
    await restart({ 'image-max-size': '3M' }, age({ first: 1 }))
    const begun = Date.now()
    assert.equal((await load(daemon.socket, dockerArchive([layerTar({ second: randomBytes(MiB) })], ['second:1']))).status, 200)
    await until(async () => !(await tags()).includes('first:1'))
    assert.deepEqual(await tags(), ['second:1'])
    assert.ok(Date.now() - begun < 45_000, `${Date.now() - begun} ms`)
    assert.equal((await daemon.api('DELETE', '/images/second:1')).status, 200)
    await restart({ 'image-max-size': 0 }, () => undefined)
    assert.equal(await budgets(), undefined)
  })
})

describe('a build cache within a limit', () => {
  it('loses what is longest unused, and nothing that an image with a name has', async () => {
    const base = layerTar({ base: 'x' })
    await load(daemon.socket, dockerArchive([base], ['base:1']))
    const build = async (name: string, tag = ''): Promise<void> => {
      const context = tarOf(file('Dockerfile', `FROM base:1\nCOPY ${name} /\nLABEL last=${name}\n`), file(name, randomBytes(MiB)))
      const { status, body } = await bytesRequest(daemon.socket, 'POST', `/build${tag === '' ? '' : `?t=${tag}`}`, context)
      assert.deepEqual([status, /errorDetail/.test(body.toString())], [200, false], body.toString())
    }
    await build('named', 'named:1')
    for (const name of ['first', 'second', 'third']) await build(name)
    const since = Math.floor(Date.now() / 1000)
    await restart({ 'build-cache-max-size': '2M' }, (db) => {
      // Its other step was made for that one, and is as long in use.
      const set = db.prepare("UPDATE build_steps SET used_at = '2030-01-01T00:00:00Z' WHERE instruction LIKE '%LABEL last=first'")
      assert.equal(set.run().changes, 1)
    })
    const cache = async (): Promise<{ Description: string; Shared: boolean; Size: number }[]> => ((await daemon.api('GET', '/system/df?type=build-cache')).body as { BuildCache: { Description: string; Shared: boolean; Size: number }[] }).BuildCache
    const own = async (): Promise<number> => (await cache()).reduce((sum, { Size, Shared }) => sum + (Shared ? 0 : Size), 0)
    await until(async () => (await own()) <= 2 * MiB)
    const labels = (await cache()).map(({ Description }) => /last=(\w+)/.exec(Description)?.[1]).filter((name) => name !== undefined).sort()
    assert.deepEqual(labels, ['first', 'named', 'third'], JSON.stringify(await cache()))
    const { BuildCache } = (await budgets()) as { BuildCache: { MaxSize: number; Size: number } }
    assert.deepEqual(BuildCache, { MaxSize: 2 * MiB, Size: await own() })
    assert.match(daemon.log(), /build-cache-max-size/)
    assert.deepEqual((await eventsOf('builder', since)).map(([action]) => action), ['prune'])
    assert.deepEqual(await tags(), ['base:1', 'named:1'])
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})
