import assert from 'node:assert/strict'
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildImage } from '../../packages/engine/src/builds/build.ts'
import type { Progress } from '../../packages/engine/src/interface.ts'
import type { HostConfig } from '../../packages/engine/src/types/container-config.ts'
import { tarOf } from '../harness/build.ts'
import { buildFixture, defaultBuildOptions } from '../harness/build-engine.ts'
import type { ImageStores } from '../harness/image-stores.ts'

/** Contexts of builds are removed behind the client's back. */
async function contextsGone({ directory }: ImageStores): Promise<void> {
  for (let i = 0; i < 100 && readdirSync(join(directory, 'builds')).length > 0; i++) await sleep(20)
  assert.deepEqual(readdirSync(join(directory, 'builds')), [])
}

const mounts = (stores: ImageStores): string[] => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(`${stores.directory}/overlay2/`))

test('steps become layers, and steps that change no file do not', async (t) => {
  const { stores, containers, run, leftovers } = await buildFixture(t)
  containers.program = (root) => {
    rmSync(join(root, 'etc/old'))
    writeFileSync(join(root, 'made'), 'made')
    return 0
  }
  const { image } = await run({ Dockerfile: 'FROM base\nENV a=b\nWORKDIR /w\nCOPY f ./\nWORKDIR /etc\nRUN change\nUSER x', f: 'f' })
  assert.equal(image.layers.length, 4)
  assert.equal(image.config.rootfs.diff_ids.length, 4)
  assert.deepEqual(image.config.history?.map(({ empty_layer: empty }) => empty ?? false), [false, true, false, false, true, false, true])
  const files = (index: number): string => stores.snapshots.layout(image.layers[index] as string).diff
  assert.deepEqual(readdirSync(files(0)).sort(), ['etc', 'made'])
  assert.ok(lstatSync(join(files(0), 'etc/old')).isCharacterDevice(), 'a whiteout')
  assert.equal(readFileSync(join(files(1), 'w/f'), 'utf8'), 'f')
  assert.deepEqual(readdirSync(files(2)), ['w'])
  for (const [index, id] of image.layers.entries()) {
    const archived = await stores.snapshots.archive(id)
    if (index < 3) assert.equal(archived.diffId, image.config.rootfs.diff_ids[3 - index])
  }
  assert.deepEqual(await leftovers(), [])
  assert.deepEqual(mounts(stores), [])
  await contextsGone(stores)
  assert.equal(containers.count, 0)
})

test('the cache outlives the build, and forgets images that are gone', async (t) => {
  const { images, containers, run } = await buildFixture(t)
  let runs = 0
  containers.program = (root) => {
    writeFileSync(join(root, 'r'), String(++runs))
    return 0
  }
  const files = { Dockerfile: 'FROM base\nCOPY f /f\nRUN r', f: 'f' }
  const first = await run(files)
  assert.equal((await run(files)).image.id, first.image.id)
  assert.equal(runs, 1)
  images.stored.delete(first.image.id)
  const again = await run(files)
  assert.notEqual(again.image.id, first.image.id)
  assert.equal(runs, 2)
  assert.notEqual((await run(files, { noCache: true })).image.id, again.image.id)
  assert.equal(images.held.size, 0)
})

test('images of several layers are read as one, for COPY --from', async (t) => {
  const { containers, run, stores, leftovers } = await buildFixture(t)
  containers.program = (root) => {
    rmSync(join(root, 'd/gone'))
    return 0
  }
  const { image } = await run({
    Dockerfile: 'FROM base AS one\nCOPY . /d\nRUN rm\nFROM scratch\nCOPY --from=one /d/kept /etc/old /out/\nCOPY --from=base bin/sh /sh', kept: 'kept', gone: 'gone',
  })
  assert.equal(image.layers.length, 2)
  assert.deepEqual(readdirSync(join(stores.snapshots.layout(image.layers[1] as string).diff, 'out')), ['kept', 'old'])
  await assert.rejects(run({ Dockerfile: 'FROM base AS one\nCOPY . /d\nRUN rm\nFROM scratch\nCOPY --from=one /d/gone /', kept: 'kept', gone: 'gone' }), { message: 'COPY failed: stat d/gone: file does not exist' })
  assert.deepEqual(await leftovers(), [])
  assert.deepEqual(mounts(stores), [])
})

test('a failed step leaves its container, unless it is to be removed', async (t) => {
  const { containers, run, leftovers } = await buildFixture(t)
  containers.program = () => 3
  const files = { Dockerfile: 'FROM base\nRUN fail' }
  await assert.rejects(run(files, { forceRemove: true }), { message: "The command '/bin/sh -c fail' returned a non-zero code: 3" })
  assert.equal(containers.count, 0)
  assert.deepEqual(await leftovers(), [])
  await assert.rejects(run(files), { message: "The command '/bin/sh -c fail' returned a non-zero code: 3" })
  assert.equal(containers.count, 1)
})

test('containers are kept when they are not to be removed', async (t) => {
  const { containers, run } = await buildFixture(t)
  containers.program = (root) => {
    writeFileSync(join(root, 'r'), 'r')
    return 0
  }
  const { image } = await run({ Dockerfile: 'FROM base\nRUN r' }, { remove: false })
  assert.equal(containers.count, 1)
  assert.equal(image.layers.length, 2)
})

test('scripts of steps that begin in the same moment do not meet', async (t) => {
  const { containers, run } = await buildFixture(t)
  t.mock.method(Date, 'now', () => 1_700_000_000_000)
  const scripts = new Set<string>()
  containers.program = (_, { Mounts }) => {
    scripts.add(readFileSync(join(Mounts?.[0]?.Source ?? '', 'E'), 'utf8'))
    return 0
  }
  const script = (name: string): string => `FROM base AS ${name}\nRUN <<E\n#!/bin/${name}\nE\n`
  await run({ Dockerfile: `${script('one')}${script('two')}FROM base\nCOPY --from=one /etc /1\nCOPY --from=two /etc /2` })
  assert.deepEqual(scripts, new Set(['#!/bin/one\n', '#!/bin/two\n']))
})

test('a script of the Dockerfile is bound into its container, and its resources are the build’s', async (t) => {
  const { containers, run } = await buildFixture(t)
  let script = ''
  let host: HostConfig = {}
  containers.program = (_, given) => {
    host = given
    const [mount] = given.Mounts ?? []
    assert.deepEqual([mount?.Type, mount?.Target, mount?.ReadOnly], ['bind', '/dev/pipes', true])
    script = readFileSync(join(mount?.Source ?? '', 'EOF'), 'utf8')
    assert.equal(lstatSync(join(mount?.Source ?? '', 'EOF')).mode & 0o777, 0o755)
    return 0
  }
  await run({ Dockerfile: 'FROM base\nRUN <<EOF\n#!/bin/awk -f\nBEGIN\nEOF' }, { memory: 1 << 26, networkMode: 'none', extraHosts: ['a:1.2.3.4'], shmSize: 4096 })
  assert.equal(script, '#!/bin/awk -f\nBEGIN\n')
  assert.deepEqual([host.Memory, host.NetworkMode, host.ExtraHosts, host.ShmSize, host.LogConfig?.Type], [1 << 26, 'none', ['a:1.2.3.4'], 4096, 'none'])
})

test('a client that goes away ends the step and leaves nothing', async (t) => {
  const { stores, engine, containers, leftovers, images } = await buildFixture(t)
  containers.program = async (root) => {
    mkdirSync(join(root, 'half'))
    await sleep(10_000, undefined, { ref: false })
    return 0
  }
  const stream = buildImage(engine, Readable.from([tarOf({ Dockerfile: 'FROM base\nCOPY f /f\nRUN slow\nRUN never', f: 'f' })]), defaultBuildOptions, new AbortController().signal)
  for await (const line of stream) {
    if (line['stream'] === 'started\n') break
  }
  assert.equal(containers.count, 0)
  assert.deepEqual(await leftovers(), [])
  assert.deepEqual(mounts(stores), [])
  await contextsGone(stores)
  assert.equal(images.stored.size, 2)

  const controller = new AbortController()
  const lines: Progress[] = []
  for await (const line of buildImage(engine, Readable.from([tarOf({ Dockerfile: 'FROM base\nRUN slow' })]), defaultBuildOptions, controller.signal)) {
    lines.push(line)
    if (line['stream'] === 'started\n') controller.abort()
  }
  assert.equal(lines.at(-1)?.['stream'], 'started\n')
  assert.equal(containers.count, 0)
  await contextsGone(stores)
})

test('a context that breaks off leaves nothing', async (t) => {
  const { stores, engine } = await buildFixture(t)
  const broken = new Readable({ read: () => undefined })
  const stream = buildImage(engine, broken, defaultBuildOptions, new AbortController().signal)
  const first = stream.next()
  broken.push(tarOf({ a: 'a' }).subarray(0, 600))
  await sleep(20)
  broken.destroy(new Error('aborted'))
  await assert.rejects(first, { message: 'aborted' })
  await contextsGone(stores)
})
