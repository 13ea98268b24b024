import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { copyFixture } from '../harness/copy-fixture.ts'

const fixture = copyFixture()
const { list, put, run } = fixture

describe('ADD', () => {
  test('unpacks archives of the context', async () => {
    put({ 't/in/f': 'f', plain: 'no archive' })
    symlinkSync('/etc/passwd', join(fixture.context, 't/link'))
    chownSync(join(fixture.context, 't/in/f'), 9, 9)
    const tar = execFileSync('tar', ['-C', join(fixture.context, 't'), '-c', '.'])
    writeFileSync(join(fixture.context, 'a.tar'), tar)
    writeFileSync(join(fixture.context, 'a.tgz'), gzipSync(tar))
    writeFileSync(join(fixture.context, 'bad.tar'), Buffer.alloc(1024, 'x'))
    writeFileSync(join(fixture.context, 'bad.gz'), gzipSync('text'))
    const root = await run('FROM base\nADD a.tar /p\nADD --chown=bob a.tgz /q/\nADD bad.tar bad.gz plain /r/\nCOPY a.tar /s\nADD --unpack=false a.tgz /u\nCOPY --link plain /v')
    for (const [name, owner, inside] of [['p', '0:0', '9:9'], ['q', '1000:1001', '1000:1001']] as const) {
      assert.deepEqual(list(root, name), { [name]: `755 ${owner} directory`, [`${name}/in`]: `755 ${owner} directory`, [`${name}/in/f`]: `644 ${inside} f`, [`${name}/link`]: `777 ${owner} -> /etc/passwd` })
    }
    assert.deepEqual(readdirSync(join(root, 'r')), ['bad.gz', 'bad.tar', 'plain'])
    assert.ok(readFileSync(join(root, 's')).equals(tar))
    assert.ok(lstatSync(join(root, 'u')).isFile())
    assert.equal(readFileSync(join(root, 'v'), 'utf8'), 'no archive')
  })

  test('gives what an archive holds to whom --chown says, and leaves its modes', async () => {
    writeFileSync(join(fixture.base, 'run'), 'r')
    chmodSync(join(fixture.base, 'run'), 0o4750)
    writeFileSync(join(fixture.context, 'a.tar'), execFileSync('tar', ['-C', fixture.base, '--owner=3', '--group=4', '-c', 'run']))
    const root = await run('FROM base\nADD --chown=5:6 --chmod=700 a.tar /x/y/\nADD a.tar /z/')
    assert.deepEqual(list(root, 'x'), { x: '755 5:6 directory', 'x/y': '755 5:6 directory', 'x/y/run': '4750 5:6 r' })
    assert.deepEqual(list(root, 'z'), { z: '755 0:0 directory', 'z/run': '4750 3:4 r' })
  })

  test('does not let an archive write outside', async () => {
    writeFileSync(join(fixture.context, 'evil.tar'), execFileSync('python3', ['-c', `
import tarfile, io, sys
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
def add(name, kind=tarfile.REGTYPE, link='', data=b'evil'):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = len(data) if kind == tarfile.REGTYPE else 0
    t.addfile(i, io.BytesIO(data))
add('up', tarfile.SYMTYPE, '${fixture.base}')
add('up/written')
t.close()`]))
    const root = await run('FROM base\nADD evil.tar /p')
    assert.ok(!existsSync(join(fixture.base, 'written')))
    assert.ok(existsSync(join(root, 'p', fixture.base, 'written')))
  })

  test('downloads by redirects, with what an address says of its user, from any port', async () => {
    const seen: string[] = []
    const server: Server = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers.authorization ?? '-'}`)
      if (request.url === '/away') return void response.writeHead(302, { location: '/there' }).end('moved')
      if (request.url === '/there') return void response.writeHead(307, { location: `http://localhost:${port}/file` }).end()
      if (request.url === '/round') return void response.writeHead(301, { location: '/round' }).end()
      if (request.url === '/odd') return void response.writeHead(302, { location: 'file:///etc/passwd' }).end()
      if (request.url === '/broken') return void response.writeHead(200, { 'content-length': '10' }).write('half', () => response.destroy())
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('as it is'))
    })
    // Browsers, and what is made like them, refuse these.
    const port = await listenOnOne(server, [10080, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6697])
    try {
      const url = `http://127.0.0.1:${port}`
      const root = await run(`FROM base\nADD http://me:p%40ss@127.0.0.1:${port}/away /d/`)
      const mine = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
      assert.deepEqual(seen, [`/away ${mine}`, `/there ${mine}`, '/file -'])
      assert.ok(readFileSync(join(root, 'd/away')).equals(gzipSync('as it is')))
      await assert.rejects(run(`FROM base\nADD ${url}/round /d/`), { message: `ADD failed: Get "${url}/round": stopped after 10 redirects` })
      await assert.rejects(run(`FROM base\nADD ${url}/odd /d/`), { message: 'ADD failed: Get "file:///etc/passwd": unsupported protocol scheme "file"' })
      await assert.rejects(run(`FROM base\nADD http://me:secret@127.0.0.1:${port}/broken /d/`), (error: Error) => error.message.startsWith(`ADD failed: Get "${url}/broken": `) && !error.message.includes('secret'))
      await assert.rejects(run('FROM base\nADD http://127.0.0.1:1/x /d/'), { message: 'ADD failed: Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused' })
    } finally {
      server.closeAllConnections()
      server.close()
    }
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
      assert.ok(fixture.lines.some((line) => line['status'] === 'Downloading'))
      await assert.rejects(run(`FROM base\nADD ${url}/ /d/`), { message: `ADD failed: cannot determine filename for source ${url}/` })
      await assert.rejects(run(`FROM base\nADD ${url}/nope /d/`), { message: `ADD failed: failed to GET ${url}/nope with status 404 Not Found: gone` })
      const other = `sha256:${'0'.repeat(64)}`
      await assert.rejects(run(`FROM base\nADD --checksum=${other} ${url}/x /d/`), { message: `ADD failed: digest mismatch ${checksum}: ${other}` })
    } finally {
      server.close()
    }
  })
})

/** Listens on the first of these ports that is free. */
async function listenOnOne(server: Server, ports: readonly number[]): Promise<number> {
  for (const port of ports) {
    const listening = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (listening) return port
  }
  throw new Error('none of the ports is free')
}
