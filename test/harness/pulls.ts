import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import type { TestDaemon } from './daemon.ts'

/** A line of a pull's stream. */
export interface PullLine {
  readonly status?: string
  readonly id?: string
  readonly error?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
}

/** Pulls by a daemon, and what they leave in its content store. */
export class Pulls {
  readonly #daemon: TestDaemon

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon
  }

  /** @param more of the query */
  async pull(image: string, tag: string, more = ''): Promise<{ readonly status: number; readonly lines: readonly PullLine[]; readonly text: string }> {
    const { status, text } = await this.#daemon.api('POST', `/images/create?fromImage=${image}&tag=${tag}${more}`)
    const lines = status === 200 ? text.split('\r\n').filter((line) => line !== '').map((line) => JSON.parse(line) as PullLine) : []
    return { status, text, lines }
  }

  /** A pull whose client may go away. */
  begin(image: string): { readonly ended: Promise<string>; stop(): void } {
    let stop = (): void => undefined
    const ended = new Promise<string>((resolve) => {
      const sent = httpRequest({ socketPath: this.#daemon.socket, method: 'POST', path: `/images/create?fromImage=${image}&tag=1`, agent: false }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('error', () => resolve(text))
        response.on('end', () => resolve(text))
      })
      sent.on('error', () => resolve(''))
      stop = () => sent.destroy()
      sent.end()
    })
    return { ended, stop: () => stop() }
  }

  /** Names in a folder of the content store. */
  names(folder: string): string[] {
    return readdirSync(join(this.#daemon.dataRoot, 'content', folder)).sort()
  }

  async remove(image: string): Promise<void> {
    assert.equal((await this.#daemon.api('DELETE', `/images/${image}?force=1`)).status, 200)
  }
}
