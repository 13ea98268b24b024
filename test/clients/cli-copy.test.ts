import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@engine/api/client'
import { endOfArchive, newEntry, padding, writeEntry } from '@engine/image'
import { engine, run } from '../harness/command-line.ts'
import { createContainer, importBusybox } from '../harness/containers.ts'
import { dist, startDaemon, type TestDaemon } from '../harness/daemon.ts'

let daemon: TestDaemon
let id = ''
let work = ''

before(async () => {
  daemon = await startDaemon()
  const client = connect(daemon.host)
  await importBusybox(client)
  id = await createContainer(client, ['true'], { NetworkMode: 'none' })
  work = mkdtempSync(join(tmpdir(), 'engine-copy-'))
  mkdirSync(join(work, 'src/sub'), { recursive: true })
  writeFileSync(join(work, 'src/sub/file'), 'content')
  symlinkSync('sub/file', join(work, 'src/link'))
  symlinkSync('src', join(work, 'srclink'))
})
after(async () => {
  await daemon[Symbol.asyncDispose]()
  rmSync(work, { recursive: true, force: true })
})

const cp = (...args: readonly string[]) => run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), 'cp', ...args], { env: { ENGINE_HOST: daemon.host }, cwd: work })
const names = (path: string): string[] => execFileSync('find', [join(work, path), '-printf', '%P %y\n'], { encoding: 'utf8' }).split('\n').slice(0, -1).sort()

describe('engine cp', () => {
  it('copies there and back, by the rules of docker cp', async () => {
    const there = [['src', `${id}:/tmp`], ['src', `${id}:/tmp/new`], ['src/.', `${id}:/tmp/flat/`], ['srclink', `${id}:/tmp/aslink`], ['-L', 'srclink', `${id}:/tmp/astree`], ['srclink/', `${id}:/tmp/slash`]]
    for (const args of there) assert.deepEqual(await cp(...args), { status: 0, stdout: '', stderr: '' }, args.join(' '))
    const tree = [' d', 'link l', 'sub d', 'sub/file f']
    for (const [from, to, expected] of [
      ['/tmp/src', 'a', tree], ['/tmp/new/', 'b', tree], ['/tmp/flat/.', 'c', tree], ['/tmp/astree', 'd/', tree], ['/tmp/slash', 'e', tree], ['/tmp/aslink', 'f', [' l']], ['/tmp/src/link', 'g', [' l']],
    ] as const) {
      assert.deepEqual(await cp(`${id}:${from}`, to), { status: 0, stdout: '', stderr: '' }, from)
      assert.deepEqual(names(to), [...expected], from)
    }
    assert.deepEqual((await cp('-L', `${id}:/tmp/src/link`, 'h')).status, 0)
    assert.equal(readFileSync(join(work, 'h'), 'utf8'), 'content')
    const { stdout } = await cp(`${id}:/tmp/src`, '-')
    assert.equal(execFileSync('tar', ['-tf', '-'], { input: stdout, encoding: 'utf8' }), 'src/\nsrc/link\nsrc/sub/\nsrc/sub/file\n')
    assert.equal((await engine(daemon.host, 'diff', id)).stdout.split('\n').includes('A /tmp/src/sub/file'), true)
  })

  it('fails in the words of docker cp', async () => {
    for (const [args, text] of [
      [['src', `${id}:/etc/passwd`], 'cannot copy directory'],
      [['src/sub/file', `${id}:/new/`], 'no such directory'],
      [['nothing', `${id}:/x`], `lstat ${work}/nothing: no such file or directory`],
      [['src', 'src'], 'must specify at least one container source'],
      [['a:b', 'c:d'], 'copying between containers is not supported'],
      [[`${id}:/nope`, '.'], `Could not find the file /nope in container ${id}`],
      [['-', `${id}:/etc/passwd`], `destination "${id}:/etc/passwd" must be a directory`],
      [[`${id}:/etc`, 'no/where'], `invalid output path: directory "${work}/no" does not exist`],
    ] as const) {
      const { status, stderr } = await cp(...args)
      assert.equal(status, 1)
      assert.ok(stderr.includes(text), stderr)
    }
  })

  it('lets no archive out of its target, whatever a daemon sends', async () => {
    const content = Buffer.from('of the attacker')
    const file = (path: string): Buffer => Buffer.concat([writeEntry(newEntry('file', path, { size: content.length })), content, padding(content.length)])
    const link = (path: string, target: string): Buffer => writeEntry(newEntry('symlink', path, { linkPath: Buffer.from(target) }))
    const outside = join(work, 'outside')
    mkdirSync(outside)
    const archives = [
      [file('x/../../outside/new')], [file('../outside/new')], [file('/../outside/new')], [link('x/l', outside), file('x/l/new')],
      [link('x', outside), file('x/new')], [writeEntry(newEntry('hardlink', 'x/h', { linkPath: Buffer.from('../outside/none') }))],
      [link('x/l', outside), writeEntry(newEntry('directory', 'x/l/')), file('x/l/new')],
    ]
    let next = 0
    const socket = join(work, 's')
    const server = createServer((request, response) => {
      const stat = Buffer.from(JSON.stringify({ name: 'x', size: 0, mode: 2 ** 31 + 0o755, mtime: '', linkTarget: '' })).toString('base64')
      response.setHeader('X-Docker-Container-Path-Stat', stat)
      response.end(request.method === 'HEAD' ? undefined : Buffer.concat([writeEntry(newEntry('directory', 'x/')), ...(archives[next++] ?? []), endOfArchive]))
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    try {
      for (const _archive of archives) {
        const target = join(work, `target${next}`)
        mkdirSync(target)
        const { status } = await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), '-H', `unix://${socket}`, 'cp', 'c:/x', target])
        assert.equal(status, 1, `archive ${next - 1} should have been refused`)
        assert.deepEqual(readdirSync(outside), [])
      }
    } finally {
      server.close()
    }
  })
})
