import { createReadStream, statSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'

/** One engine's API on one kept connection, as an SDK uses it. */
export class ApiSession {
  readonly socketPath: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  /** @param host `unix:///…` */
  constructor(host: string) {
    this.socketPath = host.replace(/^unix:\/\//, '')
  }

  /** A request that must succeed. @throws Error with the engine's message */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const text = await this.text(method, path, body)
    return text === '' ? undefined : text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text
  }

  /** The same, for an answer of many lines. */
  text(method: string, path: string, body?: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const content = body === undefined ? undefined : JSON.stringify(body)
      const headers = content === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }
      const sent = httpRequest({ socketPath: this.socketPath, agent: this.#agent, method, path: `/v1.51${path}`, headers }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => {
          if ((response.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
          else resolve(text)
        })
      })
      sent.on('error', reject)
      sent.end(content)
    })
  }

  /** Sends a file as a request's body. */
  upload(path: string, content: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest({ socketPath: this.socketPath, method: 'POST', path: `/v1.51${path}`, headers: { 'content-type': 'application/x-tar', 'content-length': content.length } }, (response) => {
        response.resume()
        response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`${path}: ${response.statusCode}`))))
      })
      sent.on('error', reject)
      sent.end(content)
    })
  }

  /** Sends a file as a request's body, without reading it whole. @returns the answer */
  uploadFile(path: string, file: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest({ socketPath: this.socketPath, method: 'POST', path: `/v1.51${path}`, headers: { 'content-type': 'application/x-tar', 'content-length': statSync(file).size } }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${response.statusCode} ${text}`))))
      })
      sent.on('error', reject)
      createReadStream(file, { highWaterMark: 1 << 20 }).on('error', reject).pipe(sent)
    })
  }

  /** Starts an exec attached, by the hijacked connection, and reads to its end. */
  execToEnd(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socketPath)
      const body = '{"Detach":false,"Tty":false}'
      socket.write(`POST /v1.51/exec/${id}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      socket.resume()
      socket.on('error', reject)
      socket.on('end', () => {
        socket.end()
        resolve()
      })
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** The `Id` of an answer. */
export function idOf(answer: unknown): string {
  if (typeof answer === 'object' && answer !== null && 'Id' in answer && typeof answer.Id === 'string') return answer.Id
  throw new Error(`no Id in ${JSON.stringify(answer)}`)
}
