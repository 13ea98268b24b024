import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { build, type BuildLine, type BuildRequest } from '@engine/build'
import { RecordingExecutor } from '../../packages/build/src/testing/recording-executor.ts'
import { unpack } from '../../packages/build/src/testing/unpack.ts'

let base: string
let context: string
let executor: RecordingExecutor
let lines: BuildLine[]

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'build-copy-'))
  context = join(base, 'c')
  mkdirSync(context)
  const root = join(base, 'image')
  mkdirSync(join(root, 'etc'), { recursive: true })
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nbob:x:1000:1001::/:/bin/sh\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nbob:x:1001:\nstaff:x:50:bob\n')
  executor = new RecordingExecutor(base)
  executor.add('base', { Env: ['PATH=/bin'] }, root)
})
afterEach(() => rmSync(base, { recursive: true }))

/** Files of the context; a name that ends with a slash is a directory. */
function put(files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(context, path, path.endsWith('/') ? '' : '..'), { recursive: true })
    if (!path.endsWith('/')) writeFileSync(join(context, path), content)
  }
}

async function run(dockerfile: string, request: Partial<BuildRequest> = {}): Promise<string> {
  writeFileSync(join(context, request.dockerfile ?? 'Dockerfile'), dockerfile)
  const directory = mkdtempSync(join(base, 'work-'))
  lines = []
  const tar = execFileSync('tar', ['-C', context, '-c', '.'], { maxBuffer: 1 << 26 })
  const stream = build(Readable.from([tar]), {
    tags: [], dockerfile: 'Dockerfile', platform: '', noCache: false, quiet: false, remove: true, forceRemove: false, target: '', buildArgs: {}, labels: {}, ...request,
  }, { executor, unpack, directory, signal: new AbortController().signal })
  for await (const line of stream) lines.push(line)
  const failure = lines.at(-1)?.['error']
  if (typeof failure === 'string') throw new Error(failure)
  const aux = lines.findLast((line) => 'aux' in line)?.['aux'] as { ID: string } | undefined
  return executor.files(aux?.ID ?? '')
}

const wasCached = (): boolean => lines.some((line) => line['stream'] === ' ---> Using cache\n')

/** Mode, owner and content of everything below a directory of an image. */
function list(root: string, path: string): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (relative: string): void => {
    const stat = lstatSync(join(root, relative))
    const content = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? `-> ${readlinkSync(join(root, relative))}` : stat.isFile() ? readFileSync(join(root, relative), 'utf8') : 'special'
    found[relative] = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid} ${content}`
    if (stat.isDirectory()) for (const name of readdirSync(join(root, relative)).sort()) visit(`${relative}/${name}`)
  }
  visit(path)
  return found
}

describe('files', () => {
  test('go to a path, into a directory, and get root as owner', async () => {
    put({ 'a.txt': 'a', 'd/b.txt': 'b' })
    chownSync(join(context, 'a.txt'), 77, 77)
    chmodSync(join(context, 'a.txt'), 0o4750)
    utimesSync(join(context, 'a.txt'), 1e9, 1e9)
    const root = await run('FROM base\nWORKDIR /w\nCOPY a.txt /x/y/z\nCOPY a.txt d/b.txt rel/\nCOPY a.txt .\nCOPY a.txt /etc\nCOPY d/b.txt /etc/group')
    assert.deepEqual(list(root, 'x'), { x: '755 0:0 directory', 'x/y': '755 0:0 directory', 'x/y/z': '4750 0:0 a' })
    assert.deepEqual(list(root, 'w'), { w: '755 0:0 directory', 'w/a.txt': '4750 0:0 a', 'w/rel': '755 0:0 directory', 'w/rel/a.txt': '4750 0:0 a', 'w/rel/b.txt': '644 0:0 b' })
    assert.equal(readFileSync(join(root, 'etc/a.txt'), 'utf8'), 'a')
    assert.equal(readFileSync(join(root, 'etc/group'), 'utf8'), 'b')
    assert.equal(lstatSync(join(root, 'x/y/z')).mtimeMs, 1e12)
  })

  test('of the context are found through links and patterns, never outside', async () => {
    put({ 'one.txt': '1', 'two.txt': '2', 'd/three.txt': '3', 'x[y': 'odd' })
    symlinkSync('one.txt', join(context, 'link'))
    symlinkSync('/etc', join(context, 'evil'))
    symlinkSync('../../../../../../../../etc/passwd', join(context, 'worse'))
    const root = await run('FROM base\nCOPY *.txt /p/\nCOPY link /l/\nCOPY d/thr*[e-f].t?t /q/\nCOPY x[[]y /odd\nCOPY /d/../one.txt ./two.txt /r/')
    assert.deepEqual(readdirSync(join(root, 'p')), ['one.txt', 'two.txt'])
    assert.deepEqual(list(root, 'l'), { l: '755 0:0 directory', 'l/link': '644 0:0 1' })
    assert.deepEqual(readdirSync(join(root, 'q')), ['three.txt'])
    assert.deepEqual(readdirSync(join(root, 'r')), ['one.txt', 'two.txt'])
    for (const source of ['evil', 'evil/passwd', 'worse']) {
      await assert.rejects(run(`FROM base\nCOPY ${source} /x`), { message: `COPY failed: file not found in build context or excluded by .dockerignore: stat ${source}: file does not exist` })
    }
    await assert.rejects(run('FROM base\nCOPY ../a /x'), { message: 'COPY failed: forbidden path outside the build context: ../a ()' })
    await assert.rejects(run('FROM base\nCOPY nope* /x'), { message: 'COPY failed: no source files were specified' })
    await assert.rejects(run('FROM base\nCOPY one.txt two.txt /x'), { message: 'When using COPY with more than one source file, the destination must be a directory and end with a /' })
  })

  test('are written through links of the image, inside of it', async () => {
    put({ f: 'new', 'd/g': 'g' })
    const outside = join(base, 'outside')
    mkdirSync(outside)
    const image = executor.files(executor.tags.get('base') as string)
    mkdirSync(join(image, 'real'))
    writeFileSync(join(image, 'real/old'), 'old')
    symlinkSync('/real/old', join(image, 'to-file'))
    symlinkSync('made/later', join(image, 'dangling'))
    symlinkSync('real', join(image, 'to-directory'))
    symlinkSync(outside, join(image, 'escape'))
    symlinkSync('loop', join(image, 'loop'))
    symlinkSync('../../../../../../../../tmp', join(image, 'up'))
    const root = await run('FROM base\nCOPY f /to-file\nCOPY f /dangling\nCOPY f /to-directory\nCOPY d /escape\nCOPY f /escape/x\nCOPY f /up/y')
    assert.deepEqual(list(root, 'real'), { real: '755 0:0 directory', 'real/f': '644 0:0 new', 'real/old': '644 0:0 new' })
    assert.equal(readlinkSync(join(root, 'to-file')), '/real/old')
    assert.equal(readFileSync(join(root, 'made/later'), 'utf8'), 'new')
    assert.deepEqual(readdirSync(join(root, outside)), ['g', 'x'])
    assert.deepEqual(readdirSync(outside), [])
    assert.ok(existsSync(join(root, 'tmp/y')))
    assert.ok(!existsSync('/tmp/y'))
    await assert.rejects(run('FROM base\nCOPY f /loop'), /ELOOP|too many levels/)
    await assert.rejects(run('FROM base\nCOPY f /etc/passwd/x'), { message: 'failed to copy files: /etc/passwd/x: not a directory' })
    await assert.rejects(run('FROM base\nCOPY d /etc/passwd'), { message: 'failed to copy files: /etc/passwd: not a directory' })
    await assert.rejects(run('FROM base\nWORKDIR /etc/passwd'), { message: 'Cannot mkdir: /etc/passwd is not a directory' })
  })
})

describe('directories', () => {
  test('give their content, links and names included, and are merged', async () => {
    put({ 'd/sub/f': 'f', 'd/empty/': '', 'd/file': 'new', 'd/dir/x': 'x' })
    symlinkSync('/anywhere', join(context, 'd/link'))
    linkSync(join(context, 'd/sub/f'), join(context, 'd/again'))
    execFileSync('mkfifo', [join(context, 'd/pipe')])
    chmodSync(join(context, 'd'), 0o700)
    chmodSync(join(context, 'd/sub'), 0o2711)
    const image = executor.files(executor.tags.get('base') as string)
    mkdirSync(join(image, 't/file/old'), { recursive: true })
    mkdirSync(join(image, 't/sub/kept'), { recursive: true })
    symlinkSync('/etc', join(image, 't/dir'))
    const root = await run('FROM base\nCOPY d /new\nCOPY d/ t')
    assert.deepEqual(list(root, 'new'), {
      new: '755 0:0 directory', 'new/again': '644 0:0 f', 'new/dir': '755 0:0 directory', 'new/dir/x': '644 0:0 x', 'new/empty': '755 0:0 directory',
      'new/file': '644 0:0 new', 'new/link': '777 0:0 -> /anywhere', 'new/pipe': '644 0:0 special', 'new/sub': '2711 0:0 directory', 'new/sub/f': '644 0:0 f',
    })
    assert.equal(lstatSync(join(root, 'new/again')).ino, lstatSync(join(root, 'new/sub/f')).ino)
    assert.deepEqual(list(root, 't/sub'), { 't/sub': '2711 0:0 directory', 't/sub/f': '644 0:0 f', 't/sub/kept': '755 0:0 directory' })
    assert.equal(readFileSync(join(root, 't/file'), 'utf8'), 'new')
    // A directory takes a link's place; nothing is written through it.
    assert.deepEqual(list(root, 't/dir'), { 't/dir': '755 0:0 directory', 't/dir/x': '644 0:0 x' })
    assert.ok(!existsSync(join(root, 'etc/x')))
  })
})

describe('owner and mode', () => {
  test('are what --chown and --chmod say', async () => {
    put({ 'd/s/f': 'f', g: 'g' })
    symlinkSync('x', join(context, 'd/l'))
    const root = await run('FROM base\nARG U=bob\nCOPY --chown=$U:staff d /a/b\nCOPY --chown=bob g /h/i/\nCOPY --chown=7:8 --chmod=751 d /c\nCOPY --chmod=u=rw,go= g /m')
    assert.deepEqual(list(root, 'a'), { a: '755 0:0 directory', 'a/b': '755 1000:50 directory', 'a/b/l': '777 1000:50 -> x', 'a/b/s': '755 1000:50 directory', 'a/b/s/f': '644 1000:50 f' })
    assert.deepEqual(list(root, 'h'), { h: '755 1000:1001 directory', 'h/i': '755 1000:1001 directory', 'h/i/g': '644 1000:1001 g' })
    assert.deepEqual(list(root, 'c'), { c: '751 7:8 directory', 'c/l': '777 7:8 -> x', 'c/s': '751 7:8 directory', 'c/s/f': '751 7:8 f' })
    assert.equal(list(root, 'm')['m'], '600 0:0 g')
    const failed = 'unable to convert uid/gid chown string to host mapping'
    await assert.rejects(run('FROM base\nCOPY --chown=bob:nope g /x'), { message: `${failed}: can't find gid for group nope: no such group: nope` })
    await assert.rejects(run('FROM base\nCOPY --chown=nope g /x'), { message: `${failed}: can't find uid for user nope: no such user: nope` })
    await assert.rejects(run('FROM base\nCOPY --chown=1:2:3 g /x'), { message: `${failed}: invalid chown string format: 1:2:3` })
  })

  test('are kept from other images and stages', async () => {
    put({ f: 'f' })
    const other = join(base, 'other')
    mkdirSync(join(other, 'o/p'), { recursive: true })
    writeFileSync(join(other, 'o/f'), 'of')
    for (const path of ['o', 'o/p', 'o/f']) chownSync(join(other, path), 5, 6)
    executor.add('other', {}, other)
    const root = await run('FROM base AS one\nCOPY --chown=bob f /f\nFROM base\nCOPY --from=other /o /x\nCOPY --from=one /f /y/\nCOPY --from=0 f /z\nCOPY --from=other --chown=1 o/f /w')
    assert.deepEqual(list(root, 'x'), { x: '755 0:0 directory', 'x/f': '644 5:6 of', 'x/p': '755 5:6 directory' })
    assert.deepEqual(list(root, 'y'), { y: '755 0:0 directory', 'y/f': '644 1000:1001 f' })
    assert.deepEqual([list(root, 'z')['z'], list(root, 'w')['w']], ['644 1000:1001 f', '644 1:1 of'])
    await assert.rejects(run('FROM base\nCOPY --from=other /nope /x'), { message: 'COPY failed: stat nope: file does not exist' })
  })
})

describe('here-documents', () => {
  test('are files', async () => {
    const root = await run('FROM base\nENV v=value\nCOPY --chmod=755 <<a.sh <<"b" /d/\necho "$v" \\$v\na.sh\n$v\nb\nCOPY <<-EOF /e\n\ttabs\nEOF')
    assert.deepEqual(list(root, 'd'), { d: '755 0:0 directory', 'd/a.sh': '755 0:0 echo "value" $v\n', 'd/b': '755 0:0 $v\n' })
    assert.equal(list(root, 'e')['e'], '644 0:0 tabs\n')
    await assert.rejects(run('FROM base\nCOPY <<../x /d/\nhi\n../x'), { message: 'COPY failed: invalid name of a here-document: ../x' })
  })
})

describe('ADD', () => {
  test('unpacks archives of the context', async () => {
    put({ 't/in/f': 'f', plain: 'no archive' })
    symlinkSync('/etc/passwd', join(context, 't/link'))
    chownSync(join(context, 't/in/f'), 9, 9)
    const tar = execFileSync('tar', ['-C', join(context, 't'), '-c', '.'])
    writeFileSync(join(context, 'a.tar'), tar)
    writeFileSync(join(context, 'a.tgz'), gzipSync(tar))
    writeFileSync(join(context, 'bad.tar'), Buffer.alloc(1024, 'x'))
    writeFileSync(join(context, 'bad.gz'), gzipSync('text'))
    const root = await run('FROM base\nADD a.tar /p\nADD --chown=bob a.tgz /q/\nADD bad.tar bad.gz plain /r/\nCOPY a.tar /s\nADD --unpack=false a.tgz /u\nCOPY --link plain /v')
    for (const name of ['p', 'q']) {
      assert.deepEqual(list(root, name), { [name]: '755 0:0 directory', [`${name}/in`]: '755 0:0 directory', [`${name}/in/f`]: '644 9:9 f', [`${name}/link`]: '777 0:0 -> /etc/passwd' })
    }
    assert.deepEqual(readdirSync(join(root, 'r')), ['bad.gz', 'bad.tar', 'plain'])
    assert.ok(readFileSync(join(root, 's')).equals(tar))
    assert.ok(lstatSync(join(root, 'u')).isFile())
    assert.equal(readFileSync(join(root, 'v'), 'utf8'), 'no archive')
  })

  test('does not let an archive write outside', async () => {
    writeFileSync(join(context, 'evil.tar'), execFileSync('python3', ['-c', `
import tarfile, io, sys
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
def add(name, kind=tarfile.REGTYPE, link='', data=b'evil'):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = len(data) if kind == tarfile.REGTYPE else 0
    t.addfile(i, io.BytesIO(data))
add('up', tarfile.SYMTYPE, '${base}')
add('up/written')
t.close()`]))
    const root = await run('FROM base\nADD evil.tar /p')
    assert.ok(!existsSync(join(base, 'written')))
    assert.ok(existsSync(join(root, 'p', base, 'written')))
  })

  test('downloads', async () => {
    const server: Server = createServer((request, response) => {
      if (request.url === '/nope') return void response.writeHead(404).end('gone')
      if (request.url === '/named/') response.setHeader('content-disposition', 'attachment; filename="n.txt"')
      response.setHeader('last-modified', 'Sun, 09 Sep 2001 01:46:40 GMT')
      response.end('body')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const checksum = `sha256:${createHash('sha256').update('body').digest('hex')}`
      const root = await run(`FROM base\nADD ${url}/a%20b?x=y /d/\nADD --checksum=${checksum} ${url}/named/ /d/\nADD --chmod=644 ${url}/ /e`)
      assert.deepEqual(list(root, 'd'), { d: '755 0:0 directory', 'd/a b': '600 0:0 body', 'd/n.txt': '600 0:0 body' })
      assert.equal(list(root, 'e')['e'], '644 0:0 body')
      assert.equal(lstatSync(join(root, 'd/a b')).mtimeMs, 1e12)
      assert.ok(lines.some((line) => line['status'] === 'Downloading'))
      await assert.rejects(run(`FROM base\nADD ${url}/ /d/`), { message: `ADD failed: cannot determine filename for source ${url}/` })
      await assert.rejects(run(`FROM base\nADD ${url}/nope /d/`), { message: `ADD failed: failed to GET ${url}/nope with status 404 Not Found: gone` })
      const other = `sha256:${'0'.repeat(64)}`
      await assert.rejects(run(`FROM base\nADD --checksum=${other} ${url}/x /d/`), { message: `ADD failed: digest mismatch ${checksum}: ${other}` })
    } finally {
      server.close()
    }
  })
})

describe('the cache', () => {
  test('goes by content, mode and name, not by time or owner', async () => {
    put({ 'd/f': 'one', 'd/g': 'two' })
    const file = 'FROM base\nCOPY d /d'
    await run(file)
    assert.ok(!wasCached())
    utimesSync(join(context, 'd/f'), 1, 1)
    chownSync(join(context, 'd/f'), 12, 12)
    await run(file)
    assert.ok(wasCached())
    const changes: (() => void)[] = [
      () => writeFileSync(join(context, 'd/f'), 'onE'),
      () => chmodSync(join(context, 'd/f'), 0o755),
      () => symlinkSync('a', join(context, 'd/l')),
      () => put({ 'd/h': '' }),
      () => rmSync(join(context, 'd/g')),
    ]
    for (const change of changes) {
      change()
      await run(file)
      assert.ok(!wasCached(), String(change))
      await run(file)
      assert.ok(wasCached())
    }
    await run('FROM base\nCOPY --chown=1 d /d')
    assert.ok(!wasCached())
  })
})

describe('a context', () => {
  test('has its Dockerfile in Docker’s places', async () => {
    put({ 'sub/x': 'x' })
    await run('FROM base\nCOPY sub/D /D', { dockerfile: 'sub/D' })
    await run('FROM base', { dockerfile: 'dockerfile' })
    rmSync(join(context, 'Dockerfile'), { force: true })
    await run('FROM base', { dockerfile: 'dockerfile' })
    await assert.rejects(run('', { dockerfile: 'Dockerfile' }), { message: 'the Dockerfile (Dockerfile) cannot be empty', code: 'invalid-argument' })
    writeFileSync(join(context, 'real'), 'FROM base')
    const missing = async (dockerfile: string): Promise<void> => void (await build(Readable.from([execFileSync('tar', ['-C', context, '-c', '.'])]), {
      tags: [], dockerfile, platform: '', noCache: false, quiet: false, remove: true, forceRemove: false, target: '', buildArgs: {}, labels: {},
    }, { executor, unpack, directory: mkdtempSync(join(base, 'work-')), signal: new AbortController().signal }).next())
    await assert.rejects(missing('nope'), { message: 'Cannot locate specified Dockerfile: nope' })
    await assert.rejects(missing('../x'), { message: 'forbidden path outside the build context: ../x ()' })
  })

  test('loses Dockerfile and .dockerignore when these are ignored', async () => {
    put({ '.dockerignore': 'Dockerfile\n.dockerignore\nkept', kept: 'k' })
    const root = await run('FROM base\nCOPY . /c/')
    assert.deepEqual(readdirSync(join(root, 'c')), ['kept'])
    put({ '.dockerignore': '*\n!Dockerfile' })
    assert.deepEqual(readdirSync(join(await run('FROM base\nCOPY . /c/'), 'c')), ['Dockerfile', 'kept'])
  })

  test('must be an archive', async () => {
    const broken = build(Readable.from([Buffer.from('x')]), {
      tags: [], dockerfile: 'Dockerfile', platform: '', noCache: false, quiet: false, remove: true, forceRemove: false, target: '', buildArgs: {}, labels: {},
    }, { executor, unpack, directory: mkdtempSync(join(base, 'work-')), signal: new AbortController().signal })
    await assert.rejects(broken.next(), { message: 'unexpected EOF' })
  })
})

test('tags are checked first and told last', async () => {
  await run('FROM base\nUSER x', { tags: ['abc', 'x/y:2', 'abc'] })
  assert.deepEqual(lines.slice(-3).map((line) => String(line['stream']).replace(/[0-9a-f]{12}/, '<id>')), ['Successfully built <id>\n', 'Successfully tagged abc:latest\n', 'Successfully tagged x/y:2\n'])
  await assert.rejects(run('FROM base', { tags: ['Bad'] }), { message: 'invalid reference format: repository name (library/Bad) must be lowercase' })
  await assert.rejects(run('FROM base', { remote: 'foo' }), { message: 'remoteURL (foo) could not be recognized as URL' })
  await assert.rejects(run('FROM base', { remote: 'x/y' }), { message: 'remoteURL (x/y) could not be recognized as URL' })
})
