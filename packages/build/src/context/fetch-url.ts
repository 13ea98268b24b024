import { connectionError } from '@engine/image'
import { EngineError, type ErrorCode } from '@engine/linux'

const codes: Readonly<Record<number, ErrorCode>> = { 401: 'unauthorized', 403: 'forbidden', 404: 'not-found' }

/**
 * Asks for a file of the web.
 * @param address may have a user's name and password in it, which go to that origin alone
 * @returns what came with it, and its bytes as they come
 * @throws EngineError in Docker's words, without what is secret in the address; AbortError
 */
export async function fetchUrl(address: string, signal: AbortSignal): Promise<{ readonly headers: Headers; readonly body: NonNullable<Response['body']> }> {
  const url = parse(address)
  const shown = shownUrl(address)
  // fetch refuses addresses that have them; it drops the header where a redirect leaves the origin.
  const user = [url.username, url.password].map(decodeURIComponent).join(':')
  url.username = url.password = ''
  const headers: Record<string, string> = user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }
  const response = await fetch(url, { signal, headers }).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new EngineError('invalid-argument', connectionError(cause, signal, `Get ${JSON.stringify(shown)}: `, url).message, { cause })
  })
  const { body, ok, status, statusText } = response
  if (ok && body !== null) return { headers: response.headers, body }
  throw new EngineError(codes[status] ?? 'invalid-argument', `failed to GET ${shown} with status ${status} ${statusText}: ${(await response.text()).slice(0, 1024)}`)
}

/** An address without what may be secret in it (CVE-2023-26054). */
export function shownUrl(address: string): string {
  const shown = parse(address)
  shown.username = shown.password = ''
  return shown.href
}

function parse(address: string): URL {
  let url: URL
  try {
    url = new URL(address)
  } catch (cause) {
    throw new EngineError('invalid-argument', `invalid URL: ${JSON.stringify(address.slice(0, 200))}`, { cause })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new EngineError('invalid-argument', `Get ${JSON.stringify(url.href.slice(0, 200))}: unsupported protocol scheme ${JSON.stringify(url.protocol.slice(0, -1))}`)
  return url
}
