import { EngineError, type ErrorCode } from '@engine/linux'
import { RequestError, statusOfCode } from '@engine/api'

/** How an error is answered. */
export interface ErrorAnswer {
  readonly status: number
  readonly message: string
  readonly hint?: string
  /** Not one of ours: a bug, to be logged with its stack. */
  readonly unexpected: boolean
}

const statuses: Readonly<Record<ErrorCode, number>> = statusOfCode

/** The one place where errors become HTTP statuses. */
export function errorAnswer(error: unknown): ErrorAnswer {
  // What went wrong first; what then could not be cleaned up as well is for the log.
  if (error instanceof SuppressedError) return { ...errorAnswer(error.suppressed), unexpected: true }
  if (error instanceof EngineError) {
    const answer = { status: statuses[error.code], message: error.message, unexpected: false }
    return error.hint === undefined ? answer : { ...answer, hint: error.hint }
  }
  if (error instanceof RequestError) return { status: error.status, message: error.message, unexpected: false }
  if (error instanceof Error) {
    // fastify's own: a malformed URL and the like.
    const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500
    return { status, message: error.message, unexpected: status >= 500 }
  }
  return { status: 500, message: String(error), unexpected: true }
}

/** The body of an error's answer, `{"message": …, "hint"?: …}`. */
export function errorBody(answer: ErrorAnswer): Buffer {
  const { message, hint } = answer
  return Buffer.from(`${JSON.stringify(hint === undefined ? { message } : { message, hint })}\n`)
}
