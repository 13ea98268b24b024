/** Codes that every layer may use; packages/daemon maps them to HTTP statuses in one table. */
export type ErrorCode =
  | 'not-found'
  | 'invalid-argument'
  | 'conflict'
  | 'unauthorized'
  | 'forbidden'
  | 'not-modified'
  | 'not-implemented'
  | 'unavailable'
  | 'cancelled'
  | 'internal'

export interface ErrorOptions {
  /** What the user can do about it; the command line prints it on a line of its own. */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/**
 * The base of every error that engine throws on purpose.
 * `message` is what the user reads (Docker's exact text where clients match it), lower case otherwise.
 */
export class EngineError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'EngineError'
    this.code = code
    this.hint = options.hint
  }

  toJSON(): { code: ErrorCode; message: string; hint?: string } {
    return this.hint === undefined
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, hint: this.hint }
  }
}

/** Whether something thrown is engine's own error of that code. */
export function isError(error: unknown, code: ErrorCode): error is EngineError {
  return error instanceof EngineError && error.code === code
}
