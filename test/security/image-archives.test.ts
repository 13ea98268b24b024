import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { newEntry, type TarEntry } from '@engine/image'
import { configFor, dockerArchive, file, load, sha256, sparseTar, tarOf } from '../harness/archives.ts'
import { engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { busyboxTar } from '../harness/images.ts'
import { layerTar } from '../harness/layer-tar.ts'

let daemon: TestDaemon
before(async () => {
  daemon = await startDaemon()
})
after(() => daemon?.[Symbol.asyncDispose]())

const good = layerTar({ 'etc/good': 'good' })
const link = (path: string, target: string): readonly [TarEntry] => [newEntry('symlink', path, { linkPath: Buffer.from(target) })]
const hard = (path: string, target: string): readonly [TarEntry] => [newEntry('hardlink', path, { linkPath: Buffer.from(target) })]
const config = configFor([good])
const parts = { config: file('config.json', config), layer: file('layer.tar', good) }
const manifest = (more: object = {}): ReturnType<typeof file> => file('manifest.json', [{ Config: 'config.json', RepoTags: ['bad:1'], Layers: ['layer.tar'], ...more }])
const withLayer = (layer: Buffer): Buffer => dockerArchive([good, layer], ['bad:1'])
const device = (kind: 'char' | 'block', path: string, major: number, minor: number): readonly [TarEntry] => [newEntry(kind, path, { mode: 0o666, deviceMajor: major, deviceMinor: minor })]

/** What must be refused, and with which words. */
const bad: readonly (readonly [name: string, archive: () => Buffer, error: RegExp])[] = [
  ['garbage', () => Buffer.from('garbage\n'), /^unexpected EOF$/],
  ['nothing', () => Buffer.alloc(0), /^the image archive is empty$/],
  ['a tar of something else', () => good, /^the archive is no image: it has neither manifest.json nor index.json$/],
  ['an archive that is cut', () => dockerArchive([good], ['bad:1']).subarray(0, 1300), /^unexpected EOF$/],
  ['compressed data that is cut', () => gzipSync(dockerArchive([good], ['bad:1'])).subarray(0, 300), /^unexpected EOF$/],
  ['damaged compressed data', () => Buffer.concat([gzipSync(good).subarray(0, 40), randomBytes(400)]), /^gzip: |^unexpected EOF$|^archive\/tar/],
  ['a manifest that is no JSON', () => tarOf(file('manifest.json', 'no')), /^manifest.json of the image archive is not valid JSON$/],
  ['a manifest that is no list', () => tarOf(file('manifest.json', { Config: 'x' })), /^invalid manifest.json in the image archive/],
  ['an empty list', () => tarOf(file('manifest.json', [])), /^the archive holds no image$/],
  ['a configuration that is missing', () => tarOf(parts.layer, manifest()), /^open config.json: no such file or directory in the image archive$/],
  ['a configuration outside', () => tarOf(parts.layer, manifest({ Config: '../../etc/passwd' })), /^open \.\.\/\.\.\/etc\/passwd: no such file/],
  ['a layer that is missing', () => tarOf(parts.config, manifest()), /^open layer.tar: no such file or directory in the image archive$/],
  ['too few layers', () => tarOf(parts.config, parts.layer, manifest({ Layers: [] })), /^invalid manifest, layers length mismatch: expected 1, got 0$/],
  ['another layer than the configuration says', () => tarOf(parts.config, file('layer.tar', layerTar({ other: 'x' })), manifest()), /^invalid diffID for layer 0: expected "sha256:[0-9a-f]{64}", got "sha256:[0-9a-f]{64}"$/],
  ['a name that is none', () => dockerArchive([good], ['BAD:1']), /^invalid reference format: repository name \(library\/BAD\) must be lowercase$/],
  ['a name without a tag', () => dockerArchive([good], ['bad']), /^invalid tag "bad"$/],
  ['a configuration that is a manifest, too', () => dockerArchive([good], ['bad:1'], { config: configFor([good], { layers: [] }) }), /^invalid image configuration: it is also a manifest$/],
  ['another system’s image', () => dockerArchive([good], ['bad:1'], { config: configFor([good], { os: 'windows' }) }), /^cannot load windows image on linux$/],
  ['links in a circle', () => tarOf(parts.config, link('layer.tar', 'b'), link('b', 'layer.tar'), manifest()), /^too many links in the image archive: "layer.tar"$/],
  ['a link outside', () => tarOf(parts.config, link('layer.tar', '../../../etc/passwd'), manifest()), /^invalid path in the archive: ".*" is outside of it$/],
  ['a device', () => tarOf([newEntry('char', 'layer.tar', { deviceMajor: 1, deviceMinor: 3 })], manifest()), /^the image archive holds a device or FIFO: "layer.tar"$/],
  ['a FIFO', () => tarOf([newEntry('fifo', 'layer.tar')], manifest()), /^the image archive holds a device or FIFO: "layer.tar"$/],
  ['a path outside', () => tarOf(file('../x', 'x')), /^invalid path in the archive: "\.\.\/x" is outside of it$/],
  ['a blob under another digest', () => tarOf(file(`blobs/sha256/${'a'.repeat(64)}`, config), parts.layer, manifest({ Config: `blobs/sha256/${'a'.repeat(64)}` })), /^blobs\/sha256\/a{64} of the image archive has the digest sha256:/],
  ['an index that is a manifest', () => tarOf(file('oci-layout', {}), file('index.json', { schemaVersion: 2, manifests: [], layers: [] })), /^invalid manifest: an index that has layers as a manifest has$/],
  ['a layout without its blobs', () => tarOf(file('oci-layout', {}), file('index.json', { schemaVersion: 2, manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${sha256(good)}`, size: 3 }] })), /^the image archive lacks sha256:/],
  ['a document without end', () => tarOf(file('manifest.json', Buffer.alloc(5 << 20, ' '))), /^manifest.json of the image archive is larger than 4194304 bytes$/],
  ['a layer that is no tar', () => withLayer(randomBytes(5000)), /^archive\/tar: invalid tar header/],
  ['a layer with a path outside', () => withLayer(tarOf(file('../../escaped', 'x'))), /^invalid path in the archive: "\.\.\/\.\.\/escaped" is outside of it$/],
  ['a layer with a hard link outside', () => withLayer(tarOf(hard('x', '../../../etc/passwd'))), /^invalid path in the archive/],
  ['a layer with a hard link to what is not there', () => withLayer(tarOf(hard('x', 'etc/shadow-of-the-host'))), /^"x" \(a link to "etc\/shadow-of-the-host"\) of the archive cannot be made: .*no such file/i],
  ['a layer with a name that is too long', () => withLayer(tarOf(file('n'.repeat(256), ''))), /^"n{256}" of the archive cannot be made: .*name too long/i],
  ['a layer with a file as a directory', () => withLayer(tarOf(file('f', ''), file('f/x', ''))), /^"f\/x" of the archive cannot be made: .*not a directory/i],
  ['a layer with a directory that is a circle of links', () => withLayer(tarOf(link('a', 'b'), link('b', 'a'), file('a/x', ''))), /^"a\/x" of the archive cannot be made: .*links/i],
  ['a layer with a whiteout of the directory itself', () => withLayer(tarOf(file('a/.wh..', ''))), /^invalid whiteout in the layer: "a\/\.wh\.\."$/],
  ['a layer with a whiteout of the root', () => withLayer(tarOf(file('.wh..', ''))), /^invalid whiteout in the layer: "\.wh\.\."$/],
  ['a layer with a whiteout of what is above the root', () => withLayer(tarOf(file('.wh...', ''))), /^invalid whiteout in the layer: "\.wh\.\.\."$/],
  ['a layer with a whiteout of nothing', () => withLayer(tarOf(file('a/.wh.', ''))), /^invalid whiteout in the layer: "a\/\.wh\."$/],
  ['a layer with a bad name that has a line break', () => withLayer(tarOf(file('f', ''), file('f/new\nline\u001b[2J', ''))), /^"f\/new\\nline\\u001b\[2J" of the archive cannot be made: /],
  ['a layer with an owner below nobody', () => withLayer(tarOf([newEntry('file', 'x', { uid: -1 })])), /^invalid owner -1 of "x" in the archive$/],
  ['two lists in one document', () => tarOf(parts.config, parts.layer, file('manifest.json', '[{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}]\n[]')), /^manifest.json of the image archive is not valid JSON$/],
  ['a layer with an owner that is none', () => withLayer(tarOf([newEntry('file', 'x', { uid: 2 ** 32 - 1 })])), /^invalid owner 4294967295 of "x" in the archive$/],
  ['a layer that is too deep', () => withLayer(tarOf(file(`${'d/'.repeat(1030)}x`, ''))), /^a path of the archive is deeper than 1024 directories$/],
  ['a layer with a path that is too long', () => withLayer(tarOf(file(`${'d'.repeat(250)}/`.repeat(20) + 'x', ''))), /^a path of the archive is longer than 4096 bytes$|extended header/],
  ['a layer with a header that is too large', () => withLayer(tarOf([newEntry('file', 'x', { xattrs: new Map([['user.x', Buffer.alloc(2 << 20)]]) })])), /^an extended header of the archive is larger than 1048576 bytes$/],
  ['a layer with a sparse file of 2 TiB', () => withLayer(sparseTar('x', 2 ** 41)), /^a sparse file of the archive is larger than 1099511627776 bytes$/],
]

describe('an archive that is bad is refused with a clear error, and nothing of it stays', () => {
  for (const [name, archive, error] of bad) {
    it(name, async () => {
      const { status, said } = await load(daemon.socket, archive())
      assert.match(said, error)
      assert.ok(status === 200 || status === 400 || status === 404, String(status))
    })
  }

  it('leaves the store as it was', async () => {
    assert.deepEqual((await daemon.api('GET', '/images/json')).body, [])
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    for (const folder of ['content/sha256', 'content/ingest', 'overlay2/.making']) assert.deepEqual(readdirSync(join(daemon.dataRoot, folder)), [], folder)
    assert.deepEqual(readdirSync(join(daemon.dataRoot, 'overlay2')).filter((one) => /^[0-9a-f]{64}/.test(one)), [])
  })
})

describe('what layers hold stays in their directory', () => {
  it('links of a layer lead nowhere else, and names from the root are in it', async () => {
    const target = join(daemon.directory, 'outside')
    const layer = tarOf(
      link('escape', daemon.directory),
      file('escape/outside', 'x'),
      link('up', '../../../../../../../../../../..'),
      file(`up${target}`, 'x'),
      file('/absolute', 'x'),
      [newEntry('char', 'dev/odd/place', { deviceMajor: 1, deviceMinor: 3 })],
    )
    const answer = await load(daemon.socket, dockerArchive([layer], ['links:1']))
    // Either the links are followed within the layer, or the archive is refused; nothing is made outside.
    assert.equal(answer.said, 'Loaded image: links:1\n')
    assert.ok(!existsSync(target))
    const { body } = await daemon.api('GET', '/images/links:1/json')
    const { UpperDir } = (body as { GraphDriver: { Data: { UpperDir: string } } }).GraphDriver.Data
    assert.ok(existsSync(join(UpperDir, 'absolute')))
    assert.equal((await daemon.api('DELETE', '/images/links:1')).status, 200)
  })
})

/** Directories of an image's layers, lowest first. */
async function layersOf(name: string): Promise<string[]> {
  const { body } = await daemon.api('GET', `/images/${name}/json`)
  const { UpperDir, LowerDir } = (body as { GraphDriver: { Data: { UpperDir: string; LowerDir?: string } } }).GraphDriver.Data
  // Those below are named by short links.
  return [UpperDir, ...(LowerDir?.split(':') ?? [])].map((path) => realpathSync(path)).reverse()
}

/** What is taken as it is, and what the kernel then has of it. */
const odd: readonly (readonly [name: string, layers: () => readonly Buffer[], check: (directories: readonly string[]) => Promise<void> | void])[] = [
  ['a hard link to a symbolic link is that link, and leads nowhere', () => [tarOf(link('l', '/etc/passwd'), hard('h', 'l'))], ([layer = '']) => {
    const [one, other] = [lstatSync(join(layer, 'l')), lstatSync(join(layer, 'h'))]
    assert.deepEqual([other.isSymbolicLink(), other.ino, other.nlink, readlinkSync(join(layer, 'h'))], [true, one.ino, 2, '/etc/passwd'])
  }],
  ['a symbolic link that takes a directory’s place between layers leads nowhere', () => [
    tarOf([newEntry('directory', 'd/')], file('d/kept', 'x')),
    tarOf(link('d', daemon.directory)),
    tarOf(file('d/by-a-link', 'x')),
    tarOf(file('d/again', 'x')),
  ], (layers) => {
    assert.ok(!existsSync(join(daemon.directory, 'by-a-link')))
    assert.ok(lstatSync(join(layers[1] ?? '', 'd')).isSymbolicLink())
    for (const [at, name] of [[2, 'by-a-link'], [3, 'again']] as const) {
      assert.ok(lstatSync(join(layers[at] ?? '', 'd')).isDirectory())
      assert.ok(lstatSync(join(layers[at] ?? '', 'd', name)).isFile())
    }
  }],
  ['devices are where the layer has them, and no container can open them', () => [busyboxTar(), tarOf(device('block', 'srv/disk', 8, 0), device('char', 'home/user/mem', 1, 1))], async (layers) => {
    const [disk, memory] = [lstatSync(join(layers[1] ?? '', 'srv/disk')), lstatSync(join(layers[1] ?? '', 'home/user/mem'))]
    assert.deepEqual([disk.isBlockDevice(), disk.rdev, memory.isCharacterDevice(), memory.rdev], [true, 0x800, true, 0x101])
    const { stdout, stderr, status } = await engine(daemon.host, 'run', '--rm', '--network', 'none', 'odd:1', 'cat', '/srv/disk', '/home/user/mem')
    assert.deepEqual([stdout, status], ['', 1])
    assert.equal(stderr.match(/Operation not permitted/g)?.length, 2, stderr)
  }],
  ['a device in place of a file that engine reads itself is not opened', () => [busyboxTar(), tarOf(device('block', 'etc/passwd', 8, 0))], async () => {
    const { stderr, status } = await engine(daemon.host, 'run', '--rm', '--network', 'none', 'odd:1', 'true')
    assert.equal(status, 125)
    assert.match(stderr, /etc\/passwd is not a regular file/)
  }],
  ['of two entries with one name the later one counts', () => [tarOf(file('x', 'first'), file('x', 'second'), file('d/inner', ''), file('d', 'a file'), file('e', ''), [newEntry('directory', 'e/', { mode: 0o711 })])], ([layer = '']) => {
    assert.deepEqual([readFileSync(join(layer, 'x'), 'utf8'), readFileSync(join(layer, 'd'), 'utf8'), lstatSync(join(layer, 'e')).mode & 0o777], ['second', 'a file', 0o711])
  }],
  ['names with line breaks and control characters are those', () => [tarOf(file('new\nline', 'x'), file('d/\u001b[31mred', 'x'))], ([layer = '']) => {
    assert.deepEqual([readdirSync(layer).sort(), readdirSync(join(layer, 'd'))], [['d', 'new\nline'], ['\u001b[31mred']])
  }],
  ['times before 1970, and owners above 2^21', () => [tarOf([newEntry('file', 'old', { mtime: -1_500_000_000n, uid: 2 ** 31, gid: 2 ** 32 - 2 })], [newEntry('directory', 'older/', { mtime: -86_400_000_000_000n })])], ([layer = '']) => {
    const { mtimeNs, uid, gid } = lstatSync(join(layer, 'old'), { bigint: true })
    assert.deepEqual([mtimeNs, uid, gid, lstatSync(join(layer, 'older'), { bigint: true }).mtimeNs], [-1_500_000_000n, 2n ** 31n, 2n ** 32n - 2n, -86_400_000_000_000n])
  }],
  ['what follows the end of a layer is not read, but is part of its digest', () => [Buffer.concat([tarOf(file('x', 'x')), tarOf(file('hidden', 'x')), randomBytes(700)])], ([layer = '']) => {
    assert.deepEqual(readdirSync(layer), ['x'])
  }],
]

describe('a layer that is odd is what it says, in its directory', () => {
  for (const [name, layers, check] of odd) {
    it(name, async () => {
      assert.equal((await load(daemon.socket, dockerArchive(layers(), ['odd:1']))).said, 'Loaded image: odd:1\n')
      try {
        await check(await layersOf('odd:1'))
      } finally {
        assert.equal((await daemon.api('DELETE', '/images/odd:1')).status, 200)
      }
      assert.deepEqual(await settledDiscrepancies(daemon), [])
    })
  }

  it('what follows the end of an archive of images is not read', async () => {
    const archive = Buffer.concat([dockerArchive([good], ['odd:1']), file('x', 'y')[1], dockerArchive([good], ['odd:2'])])
    assert.equal((await load(daemon.socket, archive)).said, 'Loaded image: odd:1\n')
    assert.equal((await daemon.api('DELETE', '/images/odd:1')).status, 200)
  })

  it('of two documents of one name the later one counts', async () => {
    const archive = tarOf(parts.config, parts.layer, manifest({ RepoTags: ['odd:1'] }), manifest({ RepoTags: ['odd:2'] }))
    assert.equal((await load(daemon.socket, archive)).said, 'Loaded image: odd:2\n')
    assert.equal((await daemon.api('DELETE', '/images/odd:2')).status, 200)
    assert.deepEqual(await settledDiscrepancies(daemon), [])
  })
})
