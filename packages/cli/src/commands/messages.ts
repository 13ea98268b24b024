import { ApiError } from '../connection/client.ts'
import { CommandError } from './command.ts'
import { print, printError } from '../terminal/output.ts'

/** What a failure is called on standard error: what the daemon answered is marked as such, as docker marks it. */
export function describeError(error: unknown): string {
  if (error instanceof ApiError) {
    const text = error.status > 0 ? `Error response from daemon: ${error.message}` : error.message
    return error.hint === undefined ? text : `${text}\nHint: ${error.hint}`
  }
  return error instanceof Error ? error.message : String(error)
}

/** An error with the pointer to help that docker gives after a failed `run`. */
export function withHelp(error: unknown, path: string, status = 125): CommandError {
  return new CommandError(`engine: ${describeError(error)}\n\nRun '${path} --help' for more information`, status)
}

/**
 * Does something for each of several names, all at once, prints each that went well, and reports all that did not.
 * @param options `forgiven` tells of errors that are reported, but are no failure
 * @returns the exit status: 1 when any failed
 */
export async function forEach(names: readonly string[], work: (name: string) => Promise<void>, options: { readonly forgiven?: (error: ApiError) => boolean } = {}): Promise<number> {
  const outcomes = await Promise.allSettled(names.map(work))
  let status = 0
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') {
      print(`${names[i]}\n`)
      continue
    }
    if (outcome.reason instanceof ApiError && outcome.reason.status === 0) throw outcome.reason
    printError(`${describeError(outcome.reason)}\n`)
    if (!(outcome.reason instanceof ApiError && options.forgiven?.(outcome.reason) === true)) status = 1
  }
  return status
}

/** The same one after the other: what is told of it has the order of the names. */
export async function forEachInTurn(names: readonly string[], work: (name: string) => Promise<void>): Promise<number> {
  let status = 0
  for (const name of names) status = Math.max(status, await forEach([name], work))
  return status
}
