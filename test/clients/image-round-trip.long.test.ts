import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { docker, engineOk, run } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { hostileLayers } from '../harness/large-image.ts'
import { patience } from '../harness/patience.ts'
import { Podman } from '../harness/podman.ts'
import { digest, makeImage, putImage, startRegistry, type TestImage, type TestRegistry } from '../harness/registry.ts'
import { describeTree, treeDifferences } from '../harness/tree.ts'

/** Whose store is on this machine: `ENGINE_TEST_DOCKER=unix:///…`, or the host's own. */
const dockerHost = process.env['ENGINE_TEST_DOCKER'] ?? (existsSync('/var/run/docker.sock') ? 'unix:///var/run/docker.sock' : undefined)

/** As `docker image inspect` has it. */
interface Inspected {
  readonly Id: string
  readonly RepoDigests: readonly string[]
  readonly RootFS: { readonly Layers: readonly string[] }
  readonly GraphDriver: { readonly Data: { readonly UpperDir: string; readonly LowerDir?: string } }
}

/** An image of ten layers, 20,000 files of 300 MB and everything that is hard to carry, on its way between engines and tools. */
describe('a large image', { timeout: 600_000 * patience }, () => {
  let directory = ''
  let registry: TestRegistry
  /** Has the image as it was pulled. */
  let first: TestDaemon
  /** Takes in what comes back. */
  let second: TestDaemon
  let image: TestImage
  /** `NAME/large:dense` and, with a sparse file, `NAME/large:sparse`. */
  let dense = ''
  let sparse = ''
  let diffIds: string[]
  /** What engine made of them when they were pulled. */
  const trees = new Map<string, ReadonlyMap<string, string>>()

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'engine-round-trip-'))
    registry = await startRegistry()
    const tars = hostileLayers({ layers: 10, files: 20_000, bytes: 300e6 })
    diffIds = tars.dense.map(digest)
    image = makeImage(tars.dense)
    ;[dense, sparse] = [`${registry.host}/large:dense`, `${registry.host}/large:sparse`]
    await putImage(registry.url, 'large', 'dense', image)
    await putImage(registry.url, 'large', 'sparse', makeImage(tars.sparse, 'docker'))
    first = await startDaemon({ 'log-level': 'warn' })
    second = await startDaemon({ 'log-level': 'warn' })
    for (const reference of [dense, sparse]) {
      await engineOk(first.host, 'pull', '--quiet', reference)
      trees.set(reference, treeOf(await inspect(first.host, reference)))
    }
  })
  after(async () => {
    for (const one of [first, second, registry]) await one?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  async function inspect(host: string, reference: string): Promise<Inspected> {
    const { status, stdout, stderr } = await docker(host, 'image', 'inspect', reference)
    assert.equal(status, 0, stderr)
    return (JSON.parse(stdout) as [Inspected])[0]
  }

  /** The files of an image whose layers are directories of this machine: an overlay of them says what a container would see. */
  function treeOf({ GraphDriver: { Data: { UpperDir, LowerDir } } }: Inspected): Map<string, string> {
    const at = join(directory, 'mounted')
    mkdirSync(at, { recursive: true })
    execFileSync('mount', ['-t', 'overlay', '-o', `ro,lowerdir=${[UpperDir, ...(LowerDir ?? '').split(':').filter((one) => one !== '')].join(':')}`, 'overlay', at])
    try {
      return describeTree(at)
    } finally {
      execFileSync('umount', [at])
    }
  }

  /** @param whose others make the root directory their own way: Docker with the time of today, Podman without permission to write */
  function assertSameTree(reference: string, other: ReadonlyMap<string, string>, whose: 'our' | 'their'): void {
    const tree = trees.get(reference) ?? new Map<string, string>()
    const differences = treeDifferences(tree, whose === 'our' ? other : new Map([...other, ['.', tree.get('.') ?? '']]))
    assert.equal(differences.length, 0, `${differences.length} differences, of which the first are:\n${differences.slice(0, 20).join('\n')}`)
  }

  /** Takes an archive into the second engine, unpacked anew, and compares. */
  async function loadAndCompare(archive: string): Promise<Inspected> {
    await engineOk(second.host, 'load', '--quiet', '--input', archive)
    try {
      const loaded = await inspect(second.host, dense)
      assert.deepEqual([loaded.Id, loaded.RootFS.Layers], [image.config.digest, diffIds])
      assertSameTree(dense, treeOf(loaded), 'our')
      return loaded
    } finally {
      await engineOk(second.host, 'rmi', '--force', image.config.digest)
    }
  }

  it('has all that was put into it', async () => {
    const pulled = await inspect(first.host, dense)
    const tree = trees.get(sparse) ?? new Map<string, string>()
    assert.deepEqual([pulled.Id, pulled.RootFS.Layers], [image.config.digest, diffIds])
    assert.ok(pulled.RepoDigests.includes(`${registry.host}/large@${image.manifest.digest}`))
    assert.ok(tree.size > 20_000, `${tree.size} files`)
    const lines = ['3/file', '3/capable', '3/null', 'sparse'].map((name) => tree.get(`./hostile/${name}`))
    assert.match(lines[0] ?? '', /^104711 2097160:4000000000 1700000000123456792 12 [0-9a-f]{64} user\.note=00ff800a3d$/)
    assert.match(lines[1] ?? '', /security\.capability=0100000200040000/)
    assert.match(lines[2] ?? '', /^20666 0:0 /)
    assert.match(lines[3] ?? '', new RegExp(` 1500000000000000000 ${6 * 1024 * 1024 + 3} `))
    const changed = ['gone', 'gone-directory/a', 'opaque/old', 'merged/lower', 'becomes-file/a'].map((name) => tree.get(`./hostile/${name}`) ?? 'none')
    assert.match(changed.join(), /^120777 0:0 1650000000000000007 merged,none,none,none,none$/)
    assert.deepEqual(['pair-a', 'pair-b', 'trio-b', 'trio-c'].map((name) => tree.get(`./hostile/${name}`)?.startsWith('the same file as ./hostile/trio-a') === true), [false, false, true, true])
  })

  it('is the same to Podman, and comes back from it', { skip: Podman.isInstalled ? false : 'podman is not installed' }, async () => {
    const own = join(directory, 'podman')
    mkdirSync(own)
    await using podman = new Podman(own)
    const compare = async (reference: string): Promise<void> => {
      assertSameTree(reference, describeTree((await podman.run('image', 'mount', reference)).trim()), 'their')
      await podman.run('image', 'unmount', reference)
    }
    await podman.run('pull', '--quiet', '--tls-verify=false', sparse)
    await compare(sparse)
    await podman.run('rmi', '--force', sparse)

    const saved = join(directory, 'saved.tar')
    await engineOk(first.host, 'save', '--output', saved, dense)
    await podman.run('load', '--quiet', '--input', saved)
    assert.equal((await podman.run('image', 'inspect', '--format', 'sha256:{{.Id}}', dense)).trim(), image.config.digest)
    await compare(dense)
    const back = join(directory, 'podman.tar')
    await podman.run('save', '--quiet', '--format', 'docker-archive', '--output', back, dense)
    await loadAndCompare(back)
  })

  it('goes through a registry, skopeo and an OCI layout, its manifest too', async () => {
    const pushed = `${registry.host}/pushed:1`
    await engineOk(first.host, 'tag', dense, pushed)
    await engineOk(first.host, 'push', '--quiet', pushed)
    const layout = join(directory, 'layout')
    const copied = await run('skopeo', ['copy', '--quiet', '--src-tls-verify=false', `docker://${pushed}`, `oci:${layout}:${dense}`])
    assert.equal(copied.status, 0, copied.stderr)
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] }
    assert.deepEqual(index.manifests.map((one) => one.digest), [image.manifest.digest])
    execFileSync('tar', ['-C', layout, '-cf', `${layout}.tar`, '.'])
    await loadAndCompare(`${layout}.tar`)
  })

  it('is the same to Docker, and comes back from it', { skip: dockerHost === undefined ? 'there is no Docker with its store on this machine (ENGINE_TEST_DOCKER)' : false }, async (t) => {
    const host = dockerHost ?? ''
    const saved = join(directory, 'for-docker.tar')
    await engineOk(first.host, 'save', '--output', saved, dense, sparse)
    const loaded = await docker(host, 'load', '--quiet', '--input', saved)
    assert.equal(loaded.status, 0, loaded.stderr)
    try {
      const theirs = await inspect(host, dense)
      assert.deepEqual([theirs.Id, theirs.RootFS.Layers], [image.config.digest, diffIds])
      if (existsSync(theirs.GraphDriver.Data.UpperDir)) for (const one of [dense, sparse]) assertSameTree(one, treeOf(await inspect(host, one)), 'their')
      else t.diagnostic('its layers are not on this machine: only what comes back is compared')
      const back = join(directory, 'docker.tar')
      const kept = await docker(host, 'save', '--output', back, dense)
      assert.equal(kept.status, 0, kept.stderr)
      await loadAndCompare(back)
    } finally {
      await docker(host, 'rmi', '--force', dense, sparse)
    }
  })
})
