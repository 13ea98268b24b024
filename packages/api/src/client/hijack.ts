import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { ApiError, answeredError, connectionError } from './api-error.ts'
import { open, readText, write, type RequestOptions, type Target } from './request.ts'

/** A connection that has become a pipe to a process. */
export interface Hijacked {
  /** Raw bytes both ways: `socket.end()` closes the process's standard input, 'end' says that its output has ended. */
  readonly socket: Socket
  /** Output that came together with the headers: to be handled before what the socket gives. */
  readonly head: Buffer
  /** `content-type` says whether output is framed (see `isFramed`). */
  readonly headers: IncomingHttpHeaders
}

/**
 * Sends a request with `Upgrade: tcp` and takes over its connection (attach, exec start).
 * The socket is paused: attach listeners, then they get everything.
 * @throws ApiError when the daemon answers with an error, or not with 101
 */
export function openHijacked(target: Target, method: string, path: string, options: RequestOptions): Promise<Hijacked> {
  return new Promise((resolve, reject) => {
    const request = open(target, method, path, options, { connection: 'Upgrade', upgrade: 'tcp' })
    request.on('error', (error) => reject(connectionError(target.host, error)))
    request.on('upgrade', (response, socket, head) => resolve({ socket, head, headers: response.headers }))
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      readText(response).then(
        (text) => reject(status >= 400 ? answeredError(status, text) : new ApiError(status, `the daemon at ${target.host} did not upgrade the connection: status ${status}`)),
        (error: unknown) => reject(connectionError(target.host, error as Error)),
      )
    })
    write(request, options.body, (error) => reject(connectionError(target.host, error)))
  })
}
