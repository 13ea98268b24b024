import type { Client } from '../connection/client.ts'
import type { Flags } from '../arguments/flag.ts'
import type { Parsed } from '../arguments/parse.ts'

/** What a command works with besides its arguments. */
export interface Context {
  readonly client: Client
  /** The command as it was called: `engine container run`. */
  readonly path: string
}

/** A command of the command line. */
export interface Command<F extends Flags = Flags> {
  /** What follows the command's name: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string
  /** A line for `--help`, and for the list of commands. */
  readonly summary: string
  readonly examples?: readonly (readonly [example: string, text: string])[]
  readonly flags: F
  /** How many arguments it takes, at least and at most. */
  readonly args: readonly [min: number, max: number]
  /** Flags end at the first argument: what follows is a command line of its own. */
  readonly flagsFirst?: true
  /** @returns the exit status */
  run(input: Parsed<F>, context: Context): Promise<number>
}

/** Declares a command; what its flags yield is inferred. */
export function defineCommand<F extends Flags>(command: Command<F>): Command {
  return command
}

/** Ends the command with a message on standard error and an exit status. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly status: number

  constructor(message: string, status = 1) {
    super(message)
    this.status = status
  }
}
