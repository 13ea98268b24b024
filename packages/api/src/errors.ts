/**
 * HTTP status of each error code (moby: api/server/httpstatus). The codes are those of `ErrorCode` in @engine/linux, which this
 * package may not import; the daemon checks that the two agree. docs/errors.md has a row for each.
 */
export const statusOfCode = {
  'not-found': 404,
  'invalid-argument': 400,
  conflict: 409,
  unauthorized: 401,
  forbidden: 403,
  'not-modified': 304,
  'not-implemented': 501,
  unavailable: 503,
  cancelled: 500,
  internal: 500,
} as const

/** A request that is wrong in form: its path, query, headers or body cannot be read. */
export class RequestError extends Error {
  readonly status: 400 | 404 | 413

  constructor(message: string, status: 400 | 404 | 413 = 400) {
    super(message)
    this.name = 'RequestError'
    this.status = status
  }
}
