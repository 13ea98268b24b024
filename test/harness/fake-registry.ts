import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import type { Content, TestImage } from './registry.ts'

/** One request that a fake server got. */
export interface Seen {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

/** A server that says what a test wants it to say. */
export interface FakeRegistry extends AsyncDisposable {
  readonly host: string
  readonly url: string
  readonly seen: Seen[]
  /** What is under `/v2/<path>`: manifests and blobs. */
  readonly documents: Map<string, Content>
  /** Has an image with all its blobs. */
  put(repository: string, reference: string, image: TestImage): void
}

/**
 * Starts one. It serves its documents, with ranges.
 * @param answer comes first; true when it has answered
 */
export async function startFakeRegistry(answer: (request: IncomingMessage, response: ServerResponse, registry: FakeRegistry) => boolean = () => false): Promise<FakeRegistry> {
  const seen: Seen[] = []
  const documents = new Map<string, Content>()
  const server = createServer((request, response) => {
    seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers })
    request.resume()
    if (answer(request, response, registry)) return
    const document = documents.get((request.url ?? '').replace(/^\/v2\//, '').replace(/\?.*/, ''))
    if (document === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
      return
    }
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const headers = { 'content-type': document.mediaType, 'docker-content-digest': document.digest, 'content-length': document.bytes.length - start }
    response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...headers, 'content-range': `bytes ${start}-${document.bytes.length - 1}/${document.bytes.length}` } : headers)
    response.end(request.method === 'HEAD' ? undefined : document.bytes.subarray(start))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const registry: FakeRegistry = {
    host, seen, documents,
    url: `http://${host}`,
    put(repository, reference, { config, layers, manifest }) {
      for (const blob of [config, ...layers]) documents.set(`${repository}/blobs/${blob.digest}`, blob)
      for (const name of [reference, manifest.digest]) documents.set(`${repository}/manifests/${name}`, manifest)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return registry
}

/** A way to a server that breaks off where it is told to. */
export interface CuttingProxy extends AsyncDisposable {
  readonly host: string
  /** Bytes from the server after which each of the next connections is cut; the list grows shorter with each connection. */
  readonly cuts: number[]
  /** Bytes a second from the server; undefined is as fast as it can. */
  rate: number | undefined
  /** Bytes that came from the server. */
  received(): number
  /** Bytes that went to the server. */
  sent(): number
  /** Bytes that went to the server, after which the next connections are cut. */
  readonly requestCuts: number[]
}

export async function startCuttingProxy(port: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const cuts: number[] = []
  const requestCuts: number[] = []
  let total = 0
  let totalSent = 0
  const server = createTcpServer((client) => {
    const cut = cuts.shift() ?? Number.POSITIVE_INFINITY
    const requestCut = requestCuts.shift() ?? Number.POSITIVE_INFINITY
    let passed = 0
    let sent = 0
    const upstream = connect(port, '127.0.0.1')
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    client.on('data', (chunk: Buffer) => {
      const forwarded = Math.min(chunk.length, requestCut - sent)
      sent += forwarded
      totalSent += forwarded
      if (forwarded < chunk.length) {
        client.pause()
        upstream.write(chunk.subarray(0, forwarded), end)
        return
      }
      if (!upstream.write(chunk)) {
        client.pause()
        upstream.once('drain', () => client.resume())
      }
    })
    upstream.on('data', (chunk: Buffer) => {
      total += chunk.length
      passed += chunk.length
      if (passed > cut) {
        client.write(chunk.subarray(0, chunk.length - (passed - cut)), end)
        upstream.pause()
        return
      }
      client.write(chunk)
      if (proxy.rate !== undefined) {
        upstream.pause()
        setTimeout(() => upstream.resume(), (chunk.length / proxy.rate) * 1000)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: CuttingProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts, requestCuts, rate: undefined,
    received: () => total,
    sent: () => totalSent,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
