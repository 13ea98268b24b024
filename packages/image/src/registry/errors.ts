import { STATUS_CODES } from 'node:http'
import { EngineError, type ErrorCode } from '@engine/linux'
import { z } from 'zod'
import { parseChallenges } from './challenge.ts'

/** A registry's answer that is an error; `message` as the docker daemon writes it: `manifest unknown: manifest unknown`. */
export class RegistryError extends EngineError {
  readonly status: number
  /** The registry's own code: `MANIFEST_UNKNOWN`, `DENIED` …; '' when it gave none. */
  readonly reason: string
  /** Seconds after which it wants to be asked again (Retry-After); undefined when it does not say. */
  readonly retryAfter: number | undefined

  constructor(status: number, reason: string, message: string, retryAfter?: number) {
    super(codeOf(status, reason), message)
    this.name = 'RegistryError'
    this.status = status
    this.reason = reason
    this.retryAfter = retryAfter
  }
}

/** The connection failed: a registry that cannot be reached, spoke nonsense, or broke off. Another attempt may succeed. */
export class ConnectionError extends EngineError {
  /** Node's or undici's code. */
  readonly reason: string

  constructor(reason: string, message: string, cause: unknown) {
    super('internal', message, { cause })
    this.name = 'ConnectionError'
    this.reason = reason
  }
}

/** The server speaks plain HTTP where TLS was meant. */
export const plainHttpReason = 'HTTP_RESPONSE'

const body = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string().optional() })).min(1) })
/** Docker Hub's token service, and proxies before registries. */
const otherBody = z.object({ details: z.string().optional(), message: z.string().optional() })

const messages: Readonly<Record<string, string>> = {
  UNAUTHORIZED: 'authentication required',
  DENIED: 'requested access to the resource is denied',
  TOOMANYREQUESTS: 'too many requests',
  MANIFEST_UNKNOWN: 'manifest unknown',
  NAME_UNKNOWN: 'repository name not known to registry',
  BLOB_UNKNOWN: 'blob unknown to registry',
  UNSUPPORTED: 'The operation is unsupported.',
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** Makes an error of an answer, as the distribution client of Docker does (registry/client/errors.go). */
export function answerError(status: number, text: string, headers: Headers): RegistryError {
  const { reason, message } = told(status, text, headers)
  return new RegistryError(status, reason, message, secondsOf(headers['retry-after']))
}

function told(status: number, text: string, headers: Headers): RegistryError {
  if (status < 400 || status >= 500) return fromBody(status, text) ?? new RegistryError(status, '', `received unexpected HTTP status: ${status} ${STATUS_CODES[status] ?? ''}`.trim())
  for (const { scheme, parameters } of parseChallenges(headers['www-authenticate'])) {
    const reason = scheme !== 'bearer' ? undefined : { invalid_token: 'UNAUTHORIZED', insufficient_scope: 'DENIED' }[parameters.get('error') ?? '']
    if (reason !== undefined) return withReason(status, reason, parameters.get('error_description') || messages[reason])
  }
  const found = fromBody(status, text)
  if (found !== undefined) return found
  // The page of a web server or proxy in front of the registry.
  const type = String(headers['content-type'] ?? '').split(';')[0]?.trim()
  if (type !== 'application/json' && text.trim() !== '') return withReason(status, reasons[status] ?? 'UNKNOWN', text.trim())
  if (status === 401) return withReason(status, 'UNAUTHORIZED', messages['UNAUTHORIZED'])
  if (status === 429) return withReason(status, 'TOOMANYREQUESTS', messages['TOOMANYREQUESTS'])
  return new RegistryError(status, '', `error parsing HTTP ${status} response body: ${text.trim() === '' ? 'unexpected end of JSON input' : 'no registry error'}: ${JSON.stringify(text.slice(0, 200))}`)
}

/** What a status means that comes without a registry's error (distribution 2.8, makeError). */
const reasons: Readonly<Record<number, string>> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 429: 'TOOMANYREQUESTS' }

/** Retry-After: seconds, or a date (RFC 9110 10.2.3). */
function secondsOf(header: Headers[string]): number | undefined {
  const text = typeof header === 'string' ? header.trim() : ''
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000))
}

function fromBody(status: number, text: string): RegistryError | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  const parsed = body.safeParse(json)
  const [first] = parsed.data?.errors ?? []
  if (first !== undefined) return withReason(status, first.code, first.message || messages[first.code])
  const { details, message } = otherBody.safeParse(json).data ?? {}
  const other = details ?? message
  if (other === undefined) return undefined
  if (status === 401) return withReason(status, 'UNAUTHORIZED', other)
  if (status === 403) return withReason(status, 'DENIED', other)
  return new RegistryError(status, '', printable(other))
}

function withReason(status: number, reason: string, message: string | undefined): RegistryError {
  const words = reason.toLowerCase().replaceAll('_', ' ')
  return new RegistryError(status, reason, printable(message === undefined ? words : `${words}: ${message}`))
}

/** What a stranger wrote goes to a user's terminal: no control characters, and not without end. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 1000)
}

function codeOf(status: number, reason: string): ErrorCode {
  if (reason === 'UNAUTHORIZED') return 'unauthorized'
  if (reason === 'DENIED') return 'forbidden'
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  return status === 404 ? 'not-found' : 'internal'
}
