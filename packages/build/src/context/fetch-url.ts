import { STATUS_CODES } from 'node:http'
import { connectionError, defaultRegistryOptions, Transport, type Answer } from '@engine/image'
import { EngineError, type ErrorCode } from '@engine/linux'

const codes: Readonly<Record<number, ErrorCode>> = { 401: 'unauthorized', 403: 'forbidden', 404: 'not-found' }
const maxRedirects = 10

/**
 * Asks for a file of the web, as it is there: what a server has packed stays packed. Proxies are those of the daemon's environment, any
 * port will do, certificates are valid. fetch() would do none of this.
 * @param address may have a user's name and password in it, which go to that origin alone
 * @returns what came with it, and its bytes as they come, which must be read or given up
 * @throws EngineError in Docker's words, without what is secret in the address; AbortError
 */
export async function fetchUrl(address: string, signal: AbortSignal): Promise<{ readonly headers: Headers; readonly body: AsyncGenerator<Buffer, void, undefined> }> {
  const transport = new Transport(defaultRegistryOptions, { strict: true })
  try {
    const answer = await get(transport, parse(address), signal)
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers)) for (const one of [value ?? []].flat()) headers.append(name, one)
    return { headers, body: reading(transport, answer, shownUrl(address), signal) }
  } catch (error) {
    await transport[Symbol.asyncDispose]()
    throw error
  }
}

/** Follows where an address leads. */
async function get(transport: Transport, start: URL, signal: AbortSignal): Promise<Answer> {
  let url = start
  for (let count = 0; count <= maxRedirects; count++) {
    const user = [url.username, url.password].map(decode).join(':')
    const authorization = user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }
    const answer = await transport.send('GET', url, { headers: { 'accept-encoding': 'identity', ...authorization }, signal }).catch((error: unknown) => fail(error, shownUrl(url.href), signal))
    const { location } = answer.headers
    if ([301, 302, 303, 307, 308].includes(answer.status) && typeof location === 'string') {
      answer.discard()
      url = parse(new URL(location, url).href)
      continue
    }
    if (answer.status >= 200 && answer.status < 300) return answer
    const shown = shownUrl(url.href)
    const text = (await reading(transport, answer, shown, signal).next()).value?.toString('utf8').slice(0, 1024) ?? ''
    answer.body.destroy()
    throw new EngineError(codes[answer.status] ?? 'invalid-argument', `failed to GET ${shown} with status ${answer.status} ${STATUS_CODES[answer.status] ?? ''}: ${text}`)
  }
  throw new EngineError('invalid-argument', `Get ${JSON.stringify(shownUrl(start.href))}: stopped after ${maxRedirects} redirects`)
}

/** The bytes of an answer; its connection ends with them. */
async function* reading(transport: Transport, { body }: Answer, shown: string, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) yield chunk
  } catch (error) {
    fail(error, shown, signal)
  } finally {
    await transport[Symbol.asyncDispose]()
  }
}

/** What a connection says of itself is a failure of who asked. */
function fail(error: unknown, shown: string, signal: AbortSignal): never {
  signal.throwIfAborted()
  throw new EngineError('invalid-argument', connectionError(error, signal, `Get ${JSON.stringify(shown)}: `, new URL(shown)).message, { cause: error })
}

/** What is not escaped as it should be is meant as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
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
