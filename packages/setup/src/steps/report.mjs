import { spawn } from 'node:child_process'

/** What went wrong, for the user: a sentence, and what to do about it. */
export class SetupError extends Error {
  /** @param {string} message @param {string} [hint] */
  constructor(message, hint) {
    super(message)
    this.hint = hint
  }
}

/** Prints a step's name, runs it, prints how long it took or why it was not needed.
 * @param {string} name
 * @param {() => Promise<string | undefined | void> | string | undefined | void} work may return a remark such as "in place" */
export async function step(name, work) {
  const start = Date.now()
  process.stdout.write(`• ${name} … `)
  try {
    const remark = await work()
    process.stdout.write(`${remark ?? `${((Date.now() - start) / 1000).toFixed(1)} s`}\n`)
  } catch (error) {
    process.stdout.write('failed\n')
    throw error
  }
}

/** Runs a command to its end with its output kept back.
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: string, hint?: string }} [options]
 * @returns {Promise<string>} its standard output
 * @throws {SetupError} with the end of what it printed, when it fails */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
    let out = ''
    let all = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
      all += chunk
    })
    child.stderr.on('data', (chunk) => {
      all += chunk
    })
    if (options.input !== undefined) child.stdin.end(options.input)
    child.on('error', (error) => reject(new SetupError(`cannot run ${command}: ${error.message}`, options.hint)))
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out)
      else reject(new SetupError(`${command} ${args.join(' ')} ${signal === null ? `ended with status ${code}` : `was killed by ${signal}`}:\n${all.trimEnd().split('\n').slice(-15).join('\n')}`, options.hint))
    })
  })
}

/** Runs a command whose output the user is to see.
 * @param {string} command @param {readonly string[]} args @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>} its exit status */
export function show(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', (error) => reject(new SetupError(`cannot run ${command}: ${error.message}`)))
    child.on('close', (code) => resolve(code ?? 1))
  })
}

/** Runs a program's main function; failures are told without a stack, with what to do.
 * @param {() => Promise<number | void>} main returns the exit status */
export async function program(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`\n${error.message}\n${error.hint === undefined ? '' : `→ ${error.hint}\n`}`)
    process.exitCode = 1
  }
}
