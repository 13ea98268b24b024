/**
 * What a request failed with: the daemon's answer (status, message, hint as its body carries them), or, with status 0,
 * that no answer was had at all (`code` then is the socket's: ENOENT, ECONNREFUSED, EACCES, ECONNRESET, ABORT_ERR).
 */
export class ApiError extends Error {
  /** HTTP status, or 0 when the daemon was not reached or the connection broke. */
  readonly status: number
  /** What the user can do about it. */
  readonly hint: string | undefined
  /** The socket's error code when status is 0. */
  readonly code: string | undefined

  constructor(status: number, message: string, options: { readonly hint?: string | undefined; readonly code?: string | undefined; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ApiError'
    this.status = status
    this.hint = options.hint
    this.code = options.code
  }
}

/** Reads an error body (`{"message": …, "hint"?: …}`, or plain text of something between) into an ApiError. */
export function answeredError(status: number, body: string): ApiError {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed && typeof parsed.message === 'string') {
      const hint = 'hint' in parsed && typeof parsed.hint === 'string' ? parsed.hint : undefined
      return new ApiError(status, parsed.message, { hint })
    }
  } catch {
    // Not JSON: shown as it is.
  }
  const text = body.trim()
  return new ApiError(status, text === '' ? `the daemon answered with status ${status} and no message` : text)
}

/** Turns a socket's failure into an ApiError that says which daemon was meant. */
export function connectionError(host: string, cause: Error & { readonly code?: string }): ApiError {
  const { code } = cause
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ApiError(0, `Cannot connect to the engine daemon at ${host}. Is engined running?`, { code, cause, hint: 'start it with: systemctl start engine' })
  }
  if (code === 'EACCES') {
    return new ApiError(0, `permission denied while trying to connect to the engine daemon socket at ${host}`, {
      code, cause, hint: 'run the command as root, or add yourself to the group of the socket',
    })
  }
  if (code === 'ABORT_ERR') return new ApiError(0, 'the request was cancelled', { code, cause })
  return new ApiError(0, `error during connect to ${host}: ${cause.message}`, { code, cause })
}
