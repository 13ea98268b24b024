/** The head of an HTTP/1.1 answer. Header names are in lower case. */
export interface AnswerHead {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** `undefined` leaves a parameter out; a list repeats it; anything that is an object is sent as JSON (filters). */
export type QueryValue = string | number | boolean | undefined | readonly string[] | Readonly<Record<string, unknown>>

/** The head of a request, up to and with its empty line. */
export function writeRequestHead(method: string, path: string, headers: Readonly<Record<string, string>>): string {
  return `${method} ${path} HTTP/1.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/**
 * Reads the head of an answer from the bytes that have come so far.
 * @returns undefined while its empty line has not come; else the head and what follows it
 * @throws Error when the bytes are not HTTP
 */
export function readAnswerHead(bytes: Buffer): { readonly head: AnswerHead; readonly rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) {
    if (bytes.length > 64 * 1024) throw new Error('the answer is not HTTP')
    return undefined
  }
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(first)?.[1]
  if (status === undefined) throw new Error('the answer is not HTTP')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { head: { status: Number(status), headers }, rest: bytes.subarray(end + 4) }
}

/** `?a=1&b=2`, or nothing. */
export function queryString(query: Readonly<Record<string, QueryValue>> = {}): string {
  const pairs: string[] = []
  const add = (name: string, value: string): void => void pairs.push(`${name}=${encodeURIComponent(value)}`)
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    if (Array.isArray(value)) for (const item of value) add(name, String(item))
    else add(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`
}

/** Takes the framing of a body (RFC 9112, 6) off its bytes, as they come. */
export interface BodyDecoder {
  /** @returns the content in these bytes @throws Error when they are not framed as announced */
  push(bytes: Buffer): Buffer[]
  /** The body has ended by its own framing. */
  readonly ended: boolean
  /** The connection's end is also the body's. */
  readonly untilClose: boolean
}

/** The decoder that an answer's headers call for. */
export function bodyDecoder({ status, headers }: AnswerHead, method: string): BodyDecoder {
  if (method === 'HEAD' || status === 204 || status === 304) return fixedLength(0)
  if (headers['transfer-encoding']?.toLowerCase().includes('chunked') === true) return new ChunkedDecoder()
  const length = headers['content-length']
  return length === undefined ? { push: (bytes) => [bytes], ended: false, untilClose: true } : fixedLength(Number(length))
}

function fixedLength(length: number): BodyDecoder {
  let left = length
  return {
    push(bytes) {
      const data = bytes.subarray(0, left)
      left -= data.length
      return data.length === 0 ? [] : [data]
    },
    get ended() {
      return left === 0
    },
    untilClose: false,
  }
}

class ChunkedDecoder implements BodyDecoder {
  readonly untilClose = false
  ended = false
  #line = ''
  #left = 0
  #state: 'size' | 'data' | 'data-end' | 'trailer' = 'size'

  push(bytes: Buffer): Buffer[] {
    const out: Buffer[] = []
    let at = 0
    while (at < bytes.length && !this.ended) {
      if (this.#state === 'data') {
        const data = bytes.subarray(at, at + this.#left)
        at += data.length
        this.#left -= data.length
        out.push(data)
        if (this.#left === 0) this.#state = 'data-end'
        continue
      }
      const newline = bytes.indexOf(0x0a, at)
      const end = newline === -1 ? bytes.length : newline
      this.#line += bytes.toString('latin1', at, end)
      at = end + 1
      if (newline !== -1) this.#endLine()
    }
    return out
  }

  #endLine(): void {
    const line = this.#line.replace(/\r$/, '')
    this.#line = ''
    if (this.#state === 'trailer') this.ended = line === ''
    else if (this.#state === 'data-end') this.#state = 'size'
    else {
      if (!/^[0-9a-fA-F]+/.test(line)) throw new Error(`invalid chunk size ${JSON.stringify(line)}`)
      this.#left = Number.parseInt(line, 16)
      this.#state = this.#left === 0 ? 'trailer' : 'data'
    }
  }
}
