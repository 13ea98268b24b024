import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Progress } from '@engine/engine'
import { errorAnswer } from './error-handler.ts'

/** The client has gone: there is nobody to answer. */
export class ClientGone extends Error {
  constructor() {
    super('the client has gone')
    this.name = 'ClientGone'
  }
}

/** An answer that is written bit by bit, no faster than the client reads. */
export class AnswerStream {
  readonly #response: ServerResponse

  /** Sends the headers at once: clients wait for them before they go on (docker run waits for those of /wait before it starts). */
  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, status = 200) {
    this.#response = response
    response.writeHead(status, headers)
    response.flushHeaders()
  }

  /**
   * Resolves when more may be written.
   * @throws when the client has gone
   */
  async write(data: string | Buffer): Promise<void> {
    const response = this.#response
    if (response.destroyed || response.socket === null) throw new ClientGone()
    if (response.write(data)) return
    const gone = new AbortController()
    const onClose = (): void => gone.abort()
    response.once('close', onClose)
    try {
      await once(response, 'drain', { signal: gone.signal })
    } catch {
      throw new ClientGone()
    } finally {
      response.removeListener('close', onClose)
    }
  }

  /**
   * Resolves when the data's memory may be used for something else.
   * @throws when the client has gone
   */
  writeAway(data: Buffer): Promise<void> {
    const response = this.#response
    return new Promise((resolve, reject) => {
      if (response.destroyed || response.socket === null) {
        reject(new ClientGone())
        return
      }
      const onClose = (): void => reject(new ClientGone())
      response.once('close', onClose)
      response.write(data, (error) => {
        response.removeListener('close', onClose)
        if (error === null || error === undefined) resolve()
        else reject(new ClientGone())
      })
    })
  }

  end(): void {
    this.#response.end()
  }

  /** Breaks the connection off, so that the client does not take what it has for the whole. */
  abort(): void {
    this.#response.destroy()
  }
}

/** Whether a stream failed only because the client has gone. */
export function isClientGone(error: unknown): boolean {
  return error instanceof ClientGone || (error instanceof Error && error.name === 'AbortError')
}

/**
 * Writes a progress stream: an object per line, ended by CR LF as moby does. What fails before the first line is thrown (and becomes
 * an HTTP status); afterwards it is the last line, for the status has been sent.
 * @param begin sends the headers
 */
export async function writeProgress(lines: AsyncIterable<Progress>, begin: () => AnswerStream): Promise<void> {
  let stream: AnswerStream | undefined
  try {
    for await (const line of lines) {
      stream ??= begin()
      await stream.write(`${JSON.stringify(line)}\r\n`)
    }
    stream ??= begin()
  } catch (error) {
    if (stream === undefined || isClientGone(error)) throw error
    const { message } = errorAnswer(error)
    await stream.write(`${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`)
  }
  stream.end()
}
