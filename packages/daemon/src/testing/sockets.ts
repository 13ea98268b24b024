import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { buildApi } from '../server.ts'
import { hijackedSockets } from '../hijack.ts'
import { fakeEngine, type FakeEngine } from './fake-engine.ts'

/** How many times longer everything may take, as for the tests in test/. */
const patience = Number(process.env['ENGINE_TEST_PATIENCE'] ?? 1)

/** A fake engine served on a socket. */
export interface ServedApi extends FakeEngine, AsyncDisposable {
  readonly path: string
  /** Ends streams, as the daemon does when it stops. */
  readonly closing: AbortController
  /** Records of the log, at level warn and above. */
  readonly logged: string[]
}

export async function serveFake(): Promise<ServedApi> {
  const fake = fakeEngine()
  const directory = mkdtempSync(join(tmpdir(), 'engine-api-'))
  const path = join(directory, 'sock')
  const closing = new AbortController()
  const logged: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) })
  const api = await buildApi({ engine: fake.engine, serverVersion: '1.2.3', closing: closing.signal }, log)
  const server = api.server()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    ...fake,
    path,
    closing,
    logged,
    async [Symbol.asyncDispose]() {
      closing.abort()
      server.closeAllConnections()
      for (const socket of hijackedSockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** A bare connection: what the wire holds, byte by byte. */
export class Wire {
  readonly socket: Socket
  #bytes = Buffer.alloc(0)
  #ended = false
  #wake = (): void => undefined

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true })
    this.socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake()
    })
    const end = (): void => {
      this.#ended = true
      this.#wake()
    }
    this.socket.on('end', end)
    this.socket.on('error', end)
    this.socket.on('close', end)
  }

  send(text: string | Buffer): this {
    this.socket.write(text)
    return this
  }

  /** Sends a request with these header lines. */
  request(line: string, headers: readonly string[] = [], body = ''): this {
    return this.send(`${line} HTTP/1.1\r\nHost: docker\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`)
  }

  /** Takes bytes up to and with `mark`. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.#bytes.indexOf(mark)
      if (at >= 0) return this.#take(at + mark.length).toString()
      await this.#more(`'${mark}' did not come`)
    }
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) await this.#more(`${count} bytes did not come`)
    return this.#take(count)
  }

  /** Headers of an answer, and a body of its Content-Length. */
  async answer(): Promise<{ readonly status: number; readonly headers: string; readonly body: string }> {
    const headers = await this.until('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(headers)?.[1] ?? 0)
    return { status: Number(headers.split(' ')[1]), headers, body: (await this.bytes(length)).toString() }
  }

  /** Everything up to the end of the stream. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#more('')
    return this.#take(this.#bytes.length).toString()
  }

  #take(count: number): Buffer {
    const taken = this.#bytes.subarray(0, count)
    this.#bytes = this.#bytes.subarray(count)
    return taken
  }

  async #more(complaint: string): Promise<void> {
    if (this.#ended && complaint !== '') throw new Error(`${complaint}; there is: ${this.#bytes.toString()}`)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${complaint} in time; there is: ${this.#bytes.toString()}`)), 5000 * patience)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** Waits for up to two seconds, times patience, until something is so. */
export async function eventually(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 * patience; tries++) {
    if (what()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`it did not come about: ${what.toString()}`)
}
