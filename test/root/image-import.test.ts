import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { docker, engine } from '../harness/command-line.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { dockerMissing } from '../harness/docker-command.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { layerTar } from '../harness/layer-tar.ts'
import { freePort } from '../harness/registry.ts'

const tar = layerTar({ 'etc/from': 'the web\n' })
let daemon: TestDaemon
let server: Server
let address = ''
before(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? ''
    if (path === '/secret.tar' && request.headers.authorization !== `Basic ${Buffer.from('me:pass word').toString('base64')}`) return void response.writeHead(401).end('who are you')
    if (path === '/moved.tar') return void response.writeHead(302, { location: '/plain.tar' }).end()
    if (path === '/cut.tar') {
      response.writeHead(200, { 'content-length': tar.length })
      return void response.write(tar.subarray(0, 700), () => response.destroy())
    }
    if (path === '/none.tar') return void response.writeHead(404).end('gone')
    if (path === '/page') return void response.end('<html>')
    const bytes = path === '/packed.tgz' ? gzipSync(tar) : tar
    response.writeHead(200, path === '/endless.tar' ? {} : { 'content-length': bytes.length }).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  daemon = await startDaemon()
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  server?.closeAllConnections()
  server?.close()
})

type Line = Readonly<Record<string, unknown>> & { readonly status?: string }
const create = async (query: string): Promise<{ readonly status: number; readonly lines: readonly Line[] }> => {
  const { status, text } = await daemon.api('POST', `/images/create?${query}`)
  return { status, lines: text.trim().split('\r\n').map((line) => JSON.parse(line) as Line) }
}
const layers = async (name: string): Promise<{ readonly comment: string; readonly layers: readonly string[]; readonly architecture: string; readonly command: readonly string[] | null }> => {
  const { body } = await daemon.api('GET', `/images/${name}/json`)
  const { Architecture, Comment, Config, RootFS } = body as { Architecture: string; Comment: string; Config: { Cmd: string[] | null }; RootFS: { Layers: string[] } }
  return { comment: Comment, layers: RootFS.Layers, architecture: Architecture, command: Config.Cmd }
}

describe('a root file system of the web', () => {
  it("becomes an image, with Docker's story of it", async () => {
    const { lines, status } = await create(`fromSrc=${encodeURIComponent(`http://${address}/plain.tar`)}&repo=web&tag=1&changes=${encodeURIComponent('CMD ["x"]')}&platform=linux/arm64`)
    assert.equal(status, 200)
    const size = `${tar.length / 1000}kB`
    assert.deepEqual(lines.slice(0, 2), [
      { status: `Downloading from http://${address}/plain.tar` },
      { status: 'Importing', progressDetail: { current: tar.length, total: tar.length }, progress: `[${'='.repeat(50)}>] ${size.padStart(8)}/${size}` },
    ])
    assert.match(lines[2]?.status ?? '', /^sha256:[0-9a-f]{64}$/)
    const plain = await layers('web:1')
    assert.deepEqual([plain.comment, plain.architecture, plain.command], [`Imported from http://${address}/plain.tar`, 'arm64', ['x']])
    // Docker takes what has no scheme for a host.
    for (const [path, at] of [['packed.tgz', ''], ['moved.tar', ''], ['endless.tar', ''], ['secret.tar', 'me:pass%20word@']]) {
      const got = await create(`fromSrc=${encodeURIComponent(at === '' ? `${address}/${path}` : `http://${at}${address}/${path}`)}&repo=web&tag=2`)
      assert.match(got.lines.at(-1)?.status ?? '', /^sha256:/, JSON.stringify(got))
      const made = await layers('web:2')
      assert.deepEqual([made.layers, made.comment], [plain.layers, `Imported from http://${address}/${path}`])
      assert.ok(!JSON.stringify(got.lines).includes('pass'), 'no password is shown or kept')
    }
  })

  it('is refused in the words of Docker, and leaves nothing', async () => {
    for (const tag of ['1', '2']) assert.equal((await daemon.api('DELETE', `/images/web:${tag}`)).status, 200)
    await daemon.api('POST', '/images/prune')
    const port = await freePort()
    const cases: readonly (readonly [source: string, status: number, message: string])[] = [
      [`http://${address}/none.tar`, 404, `failed to GET http://${address}/none.tar with status 404 Not Found: gone`],
      [`http://me:wrong@${address}/secret.tar`, 401, `failed to GET http://${address}/secret.tar with status 401 Unauthorized: who are you`],
      [`http://127.0.0.1:${port}/x`, 400, `Get "http://127.0.0.1:${port}/x": dial tcp 127.0.0.1:${port}: connect: connection refused`],
      ['ftp://127.0.0.1/x', 400, 'Get "ftp://127.0.0.1/x": unsupported protocol scheme "ftp"'],
      ['file:///etc/shadow', 400, 'Get "file:///etc/shadow": unsupported protocol scheme "file"'],
    ]
    for (const [source, status, message] of cases) {
      assert.deepEqual(await create(`fromSrc=${encodeURIComponent(source)}&repo=web`), { status, lines: [{ message }] })
    }
    for (const path of ['cut.tar', 'page']) {
      const { lines } = await create(`fromSrc=http://${address}/${path}&repo=web`)
      assert.equal(typeof lines.at(-1)?.['error'], 'string', JSON.stringify(lines))
    }
    assert.deepEqual(await settledDiscrepancies(daemon), [])
    assert.deepEqual((await daemon.api('GET', '/images/json?all=1')).body, [])
  })

  it('is asked for by either command', { skip: dockerMissing }, async () => {
    const words = ['import', '-c', 'ENV A=b', '-m', 'said', `http://${address}/plain.tar`, 'web:3']
    const [theirs, ours] = [await docker(daemon.host, ...words), await engine(daemon.host, ...words)]
    for (const { status, stdout } of [theirs, ours]) {
      assert.equal(status, 0)
      assert.match(stdout, new RegExp(`^Downloading from http://${address}/plain\\.tar\n(?:Importing.*\n)?sha256:[0-9a-f]{64}\n$`))
    }
    assert.equal((await layers('web:3')).comment, 'said')
  })
})
