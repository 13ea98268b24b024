import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { openTestEngine, removal } from '../harness/engine.ts'

/** One engine for the tests that do not look at all of it. */
const world = openTestEngine({ after })

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'engine-mounts-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test('binds: writable, read-only, and a source that is made', async (t) => {
  const { run } = await world
  const host = scratch(t)
  writeFileSync(join(host, 'file'), 'from the host\n')
  const result = await run(['sh', '-c', 'cat /rw/file /ro/file; echo new > /rw/made; echo no > /ro/x; touch /made/here; grep -c " /ro " /proc/self/mountinfo'], {
    Binds: [`${host}:/rw`, `${host}:/ro:ro`, `${host}/missing:/made`],
  })
  assert.equal(result.stdout, 'from the host\nfrom the host\n1\n')
  assert.match(result.stderr, /can't create \/ro\/x: Read-only file system/)
  assert.equal(readFileSync(join(host, 'made'), 'utf8'), 'new\n')
  assert.ok(statSync(join(host, 'missing/here')).isFile())
})

test('a read-only bind is read-only all the way down', async (t) => {
  const { run, start, engine } = await world
  const host = scratch(t)
  // A mount below the bound directory: the merged root of another container.
  const other = await start(['sleep', '100'])
  const { MergedDir = '' } = (await engine.containers.inspect(other, { size: false })).GraphDriver.Data ?? {}
  const { stdout } = await run(['sh', '-c', 'touch /ro/merged/tmp/x || echo refused'], { Mounts: [{ Type: 'bind', Source: join(MergedDir, '..'), Target: '/ro', ReadOnly: true }] })
  assert.equal(stdout, 'refused\n')
  assert.ok(host !== '')
})

test('tmpfs: size, mode, and exec', async () => {
  const { run } = await world
  const { stdout } = await run(['sh', '-c', 'grep -E " /(a|b|c) " /proc/self/mounts | cut -d" " -f2,4; stat -c %a /b'], {
    Tmpfs: { '/a': 'size=64k,exec' },
    Mounts: [{ Type: 'tmpfs', Target: '/b', TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o700 } }, { Type: 'tmpfs', Target: '/c', ReadOnly: true }],
  })
  assert.equal(stdout, '/a rw,nosuid,nodev,relatime,size=64k\n/b rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700\n/c ro,nosuid,nodev,noexec,relatime\n700\n')
})

test('volumes: filled from the image, shared, kept or gone with their container', async () => {
  const { engine, run, create } = await world
  assert.equal((await run(['sh', '-c', 'ls /data | head -1; echo kept > /data/mine'], { Binds: ['named:/data'] }, { Volumes: {} })).stdout, '')
  assert.equal((await run(['cat', '/elsewhere/mine'], { Mounts: [{ Type: 'volume', Source: 'named', Target: '/elsewhere', ReadOnly: true }] })).stdout, 'kept\n')
  assert.match((await run(['ls', '/copy'], { Binds: ['etc:/etc', 'etc:/copy'] })).stdout, /passwd/)
  assert.equal((await run(['ls', '/etc'], { Mounts: [{ Type: 'volume', Source: 'bare', Target: '/etc/', VolumeOptions: { NoCopy: true } }] })).stdout.includes('passwd'), false)
  // `VOLUME data` of a Dockerfile, which Docker takes too.
  assert.match((await run(['grep', ' /relative ', '/proc/self/mountinfo'], {}, { Volumes: { relative: {} } })).stdout, / \/relative /)
  const id = await create(['true'], {}, { Volumes: { '/anonymous': {} } })
  const [mount] = (await engine.containers.inspect(id, { size: false })).Mounts
  assert.match(mount?.Name ?? '', /^[0-9a-f]{64}$/)
  await assert.rejects(engine.volumes.remove(mount?.Name ?? '', false), { code: 'conflict', message: `remove ${mount?.Name}: volume is in use - [${id}]` })
  await engine.containers.remove(id, removal)
  await assert.rejects(engine.volumes.inspect(mount?.Name ?? ''), { code: 'not-found' })
  await engine.volumes.inspect('named')
})

test('a subpath stays inside its volume, whatever links lead where', async () => {
  const { engine, run, traces, create } = await world
  const { Mountpoint } = await engine.volumes.create({ Name: 'vol', Driver: 'local', DriverOpts: {}, Labels: {} })
  mkdirSync(join(Mountpoint, 'a/b'), { recursive: true })
  writeFileSync(join(Mountpoint, 'a/b/file'), 'inside\n')
  symlinkSync('/etc', join(Mountpoint, 'out'))
  symlinkSync('../../../..', join(Mountpoint, 'a/up'))
  const subpath = (path: string) => ({ Mounts: [{ Type: 'volume', Source: 'vol', Target: '/s', VolumeOptions: { Subpath: path } }] })
  assert.equal((await run(['cat', '/s/file'], subpath('a/b'))).stdout, 'inside\n')
  assert.equal((await run(['cat', '/s/b/file'], subpath('a/b/..'))).stdout, 'inside\n')
  for (const path of ['..', 'a/../../x', '/a']) await assert.rejects(create(['true'], subpath(path)), { message: 'invalid mount config for type "volume": subpath must be a relative path within the volume' })
  await assert.rejects(engine.containers.start(await create(['true'], subpath('a/b/file/x'))), { message: `error while resolving symlinks in combined path "${Mountpoint}/a/b/file/x": not a directory` })
  for (const path of ['out', 'a/up', 'missing']) {
    const id = await create(['true'], subpath(path))
    const before = traces(id)
    await assert.rejects(engine.containers.start(id), path === 'missing' ? { code: 'not-found' } : { code: 'invalid-argument', message: `path concatenation escapes the base directory, base: ${Mountpoint}, subpath: ${path}` })
    assert.deepEqual(traces(id), before)
    await engine.containers.remove(id, removal)
  }
})

test('mounts of another container', async (t) => {
  const { create, run } = await world
  const host = scratch(t)
  writeFileSync(join(host, 'file'), 'x\n')
  await create(['true'], { Binds: [`${host}:/shared`] }, {}, 'donor')
  const { stdout } = await run(['sh', '-c', 'cat /shared/file; touch /shared/y || echo read-only'], { VolumesFrom: ['donor:ro'] })
  assert.equal(stdout, 'x\nread-only\n')
})
