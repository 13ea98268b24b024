import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Attachment } from '@engine/engine'
import { frameHeader, isAtLeast, MULTIPLEXED_STREAM, RAW_STREAM } from '@engine/api'
import type { Call } from './call.ts'

/** How long a client may keep its end open after a process's output has ended. */
const LINGER = 10_000

/**
 * Joins a client's connection and a process until the output has ended or the client has gone.
 * Answers in the form that was asked for: `101` when the request had an Upgrade header, `200` with raw bytes otherwise.
 * Called once the process is there: errors can only be answered before.
 */
export async function serveAttachment(call: Pick<Call, 'request' | 'version' | 'hijack'>, attachment: Attachment): Promise<void> {
  const framed = !attachment.tty
  const socket = takeConnection(call, attachment)
  socket.write(openingLines(call.request.headers.upgrade !== undefined, framed && isAtLeast(call.version, '1.42')))
  feedStdin(socket, attachment)
  try {
    await writeOutput(socket, attachment, framed)
  } finally {
    closeGently(socket)
  }
}

/** Takes a request's connection over for an attachment, which ends with it. @throws what Call.hijack does; the attachment has ended then */
export function takeConnection(call: Pick<Call, 'hijack'>, attachment: Attachment): Socket {
  let socket: Socket
  try {
    socket = call.hijack()
  } catch (error) {
    attachment.detach()
    throw error
  }
  socket.once('close', () => attachment.detach())
  return socket
}

/** moby's postContainersAttach, to the letter: clients compare the reason phrase with nothing, but read the content type. */
function openingLines(upgrade: boolean, multiplexed: boolean): string {
  if (!upgrade) return `HTTP/1.1 200 OK\r\nContent-Type: ${RAW_STREAM}\r\n\r\n`
  return `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${multiplexed ? MULTIPLEXED_STREAM : RAW_STREAM}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`
}

/** The client's bytes to the process's standard input; its half-close ends that. */
function feedStdin(socket: Socket, { stdin }: Attachment): void {
  if (stdin === undefined) {
    // Read all the same, so that the connection's end is seen.
    socket.resume()
    return
  }
  const discard = (): void => {
    socket.unpipe(stdin)
    socket.resume()
  }
  // The process has closed its input, or ended: the rest is thrown away, as a write to a closed pipe would be.
  stdin.on('error', discard)
  stdin.on('close', discard)
  socket.pipe(stdin)
}

async function writeOutput(socket: Socket, attachment: Attachment, framed: boolean): Promise<void> {
  for await (const { stream, data, release } of attachment.output) {
    if (socket.destroyed) return
    let more: boolean
    if (framed) {
      socket.cork()
      socket.write(frameHeader(stream, data.length))
      more = socket.write(data, release)
      socket.uncork()
    } else {
      more = socket.write(data, release)
    }
    if (!more) await drained(socket)
  }
}

async function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return
  const gone = new AbortController()
  const onClose = (): void => gone.abort()
  socket.once('close', onClose)
  try {
    await once(socket, 'drain', { signal: gone.signal })
  } catch {
    // The client has gone; the next turn of the loop sees it.
  } finally {
    socket.removeListener('close', onClose)
  }
}

/**
 * Sends our end of the stream and waits for the client's: closing at once, with input of the client's unread, would make its read of
 * the last output fail with ECONNRESET.
 */
function closeGently(socket: Socket): void {
  if (socket.destroyed) return
  socket.end()
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}
