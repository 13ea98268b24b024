import type { Socket } from 'node:net'
import { readAnswerHead, writeRequestHead, type AnswerHead } from './wire.ts'

/** The body of a request could not be read. `cause` says why. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
}

/** What is sent after a request's head: JSON text or bytes as they are, or a stream in chunks. */
export type RequestBody = Buffer | AsyncIterable<Buffer> | undefined

/**
 * Sends one request and reads the head of its answer. A daemon may answer before it has taken the whole body: the rest is then not sent.
 * @returns the head, and bytes that came after it; the socket is paused and has no listeners
 * @throws the socket's error; Error when the connection is closed without an answer
 */
export async function exchange(socket: Socket, method: string, path: string, headers: Readonly<Record<string, string>>, body: RequestBody): Promise<{ head: AnswerHead; rest: Buffer }> {
  const framing: Record<string, string> = {}
  if (body === undefined) {
    if (method !== 'GET' && method !== 'HEAD') framing['content-length'] = '0'
  } else if (Buffer.isBuffer(body)) framing['content-length'] = String(body.length)
  else framing['transfer-encoding'] = 'chunked'
  const answer = readHead(socket)
  const head = Buffer.from(writeRequestHead(method, path, { ...headers, ...framing }))
  socket.write(Buffer.isBuffer(body) ? Buffer.concat([head, body]) : head)
  if (body !== undefined && !Buffer.isBuffer(body)) {
    // A body that cannot be read is the failure to report, not the broken request that it leaves.
    const failed = sendChunks(socket, body, answer).catch((error: unknown) => {
      socket.destroy()
      throw new BodyError((error as Error).message, { cause: error })
    })
    return await Promise.race([answer, failed.then(() => answer)])
  }
  return await answer
}

function readHead(socket: Socket): Promise<{ head: AnswerHead; rest: Buffer }> {
  const result = new Promise<{ head: AnswerHead; rest: Buffer }>((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0)
    const settle = (done: () => void): void => {
      socket.pause()
      socket.off('data', onData).off('error', onError).off('close', onClose)
      done()
    }
    const onData = (data: Buffer): void => {
      bytes = bytes.length === 0 ? data : Buffer.concat([bytes, data])
      try {
        for (let found = readAnswerHead(bytes); found !== undefined; found = readAnswerHead(bytes)) {
          const { head, rest } = found
          // 100 Continue and its like come before the answer.
          if (head.status >= 200 || head.status === 101) return settle(() => resolve({ head, rest }))
          bytes = rest
        }
      } catch (error) {
        onError(error as Error)
      }
    }
    const onError = (error: Error): void => settle(() => reject(error))
    const onClose = (): void => settle(() => reject(new Error('the connection was closed before an answer came')))
    socket.on('data', onData).on('error', onError).on('close', onClose).resume()
  })
  result.catch(() => undefined)
  return result
}

async function sendChunks(socket: Socket, body: AsyncIterable<Buffer>, answer: Promise<unknown>): Promise<void> {
  let answered = false
  void answer.then(() => { answered = true }, () => { answered = true })
  for await (const chunk of body) {
    if (answered || socket.destroyed) return
    if (chunk.length === 0) continue
    socket.write(`${chunk.length.toString(16)}\r\n`)
    socket.write(chunk)
    if (!socket.write('\r\n')) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          socket.off('drain', go).off('close', go)
          resolve()
        }
        socket.on('drain', go).on('close', go)
      })
    }
  }
  if (!answered && !socket.destroyed) socket.write('0\r\n\r\n')
}
