import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/**
 * The body of a request, for those who read it to give up as they like: destroying the request itself would end the connection, and
 * with it the answer that says why.
 */
export function bodyStream(request: IncomingMessage): Readable {
  const body: Readable = new Readable({
    read: () => void request.resume(),
    destroy(error, done) {
      request.off('data', onData).off('end', onEnd).off('close', onClose)
      // What is still to come is read and dropped: a client that is still writing would not get to the answer.
      request.on('error', ignore).resume()
      done(error)
    },
  })
  const onData = (chunk: Buffer): void => {
    if (!body.push(chunk)) request.pause()
  }
  const onEnd = (): void => void body.push(null)
  const onClose = (): void => {
    if (!request.complete) body.destroy(new Error('the client has gone before its request was whole'))
  }
  // Whoever was to read it may not have begun yet: its error must not end the process.
  body.on('error', ignore)
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', ignore)
  request.pause()
  return body
}

function ignore(): void {
  // 'close' says it.
}
