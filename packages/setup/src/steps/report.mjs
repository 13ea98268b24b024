import { spawn } from 'node:child_process'

/** What went wrong, for the user: a sentence, and what to do about it. */
export class SetupError extends Error {
  /** @param {string} message @param {string} [hint] */
  constructor(message, hint) {
    super(message)
    this.hint = hint
  }
}

/** Set once the user has asked to end (Ctrl-C); nothing more is begun then. */
const interruption = new AbortController()
const interrupted = interruption.signal

/** Prints a step's name, runs it, prints how long it took or why it was not needed.
 * @param {string} name
 * @param {() => Promise<string | undefined | void> | string | undefined | void} work may return a remark such as "in place" */
export async function step(name, work) {
  refuseIfInterrupted()
  const start = Date.now()
  process.stdout.write(`• ${name} … `)
  try {
    const remark = await work()
    process.stdout.write(`${remark ?? `${((Date.now() - start) / 1000).toFixed(1)} s`}\n`)
  } catch (error) {
    process.stdout.write(interrupted.aborted ? 'broken off\n' : 'failed\n')
    throw error
  }
}

/** Runs a command to its end with its output kept back.
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, hint?: string, uninterrupted?: boolean }} [options]
 *   uninterrupted: it is not broken off by Ctrl-C, which is waited with until it has ended
 * @returns {Promise<string>} its standard output
 * @throws {SetupError} with the end of what it printed, when it fails */
export async function run(command, args, options = {}) {
  refuseIfInterrupted()
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Out of the terminal's foreground process group, which Ctrl-C is sent to.
    detached: options.uninterrupted === true,
  })
  let out = ''
  let all = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
    all += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    all += text
  })
  const ended = await outcome(child, command, options.hint)
  if (ended === 'status 0') return out
  refuseIfInterrupted()
  throw new SetupError(`${command} ${args.join(' ')} ended with ${ended}:\n${all.trimEnd().split('\n').slice(-15).join('\n')}`, options.hint)
}

/** Runs a command whose output the user is to see.
 * @param {string} command @param {readonly string[]} args @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} its exit status, 1 when it was killed */
export async function show(command, args, options = {}) {
  refuseIfInterrupted()
  const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ['ignore', 'inherit', 'inherit'] })
  const ended = await outcome(child, command)
  refuseIfInterrupted()
  return ended.startsWith('status') ? Number(ended.slice('status '.length)) : 1
}

/** How a child ends: `status 1`, `signal SIGKILL`.
 * @param {import('node:child_process').ChildProcess} child @param {string} command @param {string} [hint]
 * @returns {Promise<string>} */
function outcome(child, command, hint) {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new SetupError(`cannot run ${command}: ${error.message}`, hint)))
    child.once('close', (code, signal) => resolve(signal === null ? `status ${code}` : `signal ${signal}`))
  })
}

/** Waits, unless the user has asked to end. @param {number} milliseconds @returns {Promise<void>} */
export function pause(milliseconds) {
  return new Promise((resolve, reject) => {
    setTimeout(() => (interrupted.aborted ? reject(new Interrupted()) : resolve()), milliseconds)
  })
}

class Interrupted extends Error {}

function refuseIfInterrupted() {
  if (interrupted.aborted) throw new Interrupted()
}

/** Runs a program's main function. Failures are told without a stack, with what to do. Ctrl-C ends it between two steps or in the
 * middle of a command, after what is to be cleaned up has been: each step can be repeated.
 * @param {() => Promise<number | void>} main returns the exit status */
export async function program(main) {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => interruption.abort())
  // A reader that has gone away (npm start | head) ends nothing.
  process.stdout.on('error', () => undefined)
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    if (interrupted.aborted) {
      process.stderr.write('\nBroken off. The same command again goes on from here.\n')
      process.exitCode = 130
    } else if (error instanceof SetupError) {
      process.stderr.write(`\n${error.message}\n${error.hint === undefined ? '' : `→ ${error.hint}\n`}`)
      process.exitCode = 1
    } else {
      throw error
    }
  }
}
