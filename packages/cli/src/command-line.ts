import { connect, type Client } from './connection/client.ts'
import { FlagError, HelpWanted, parseFlags } from './arguments/parse.ts'
import { readGlobals, type Globals } from './arguments/globals.ts'
import { CommandError, type Command } from './commands/command.ts'
import { describeError } from './commands/messages.ts'
import { commands, findEntry, groups, namesOfEntry, type Entry } from './commands/table.ts'
import { print, printError } from './terminal/output.ts'

/**
 * Carries out one command line, writing to the process's standard streams.
 * @param words without node and script
 * @returns the exit status
 */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let globals: Globals
  try {
    globals = readGlobals(words, process.env)
  } catch (error) {
    if (error instanceof HelpWanted) return await printOverview(print)
    if (error instanceof FlagError) return fail(usageError(error.message, 'engine', '[OPTIONS] COMMAND [ARG...]'), 125)
    return fail(describeError(error), 1)
  }
  if (globals.version) {
    const { VERSION } = await import('./version.ts')
    print(`engine version ${VERSION}\n`)
    return 0
  }
  const [first, ...rest] = globals.rest
  if (first === undefined) return await printOverview(printError)
  if (first === 'help') return await help(rest)
  if (first === '__complete') return await complete(rest, globals.host)

  const group = Object.hasOwn(groups, first) ? groups[first] : undefined
  if (group === undefined) {
    const entry = findEntry(commands, first)
    if (entry === undefined) return fail(`engine: unknown command: engine ${first}\n\nRun 'engine --help' for more information`, 1)
    return await runEntry(entry, `engine ${first}`, rest, globals.host)
  }
  const [second, ...after] = rest
  if (second === undefined || second === '--help' || second === '-h') {
    const { groupHelp } = await import('./help/overview.ts')
    const out = second === undefined ? printError : print
    out(groupHelp(first, group))
    return 0
  }
  const entry = findEntry(group.commands, second)
  const path = `engine ${first}`
  if (entry === undefined) {
    if (second.startsWith('-')) return fail(usageError(`unknown flag: ${second}`, path, 'COMMAND'), 125)
    return fail(`engine: unknown command: ${path} ${second}\n\nUsage:  ${path}\n\nRun '${path} --help' for more information`, 1)
  }
  return await runEntry(entry, `${path} ${second}`, after, globals.host)
}

async function runEntry(entry: Entry, path: string, words: readonly string[], host: string): Promise<number> {
  let client: Client
  try {
    client = connect(host)
  } catch (error) {
    return fail(describeError(error), 1)
  }
  // The daemon accepts the connection while the command is loaded and its flags are read.
  client.prepare(1)
  const { command } = await entry.load()
  try {
    const input = parseFlags(words, command.flags, command.flagsFirst !== true)
    const problem = argumentProblem(command, input.args.length)
    if (problem !== undefined) {
      return fail(`engine: '${path}' ${problem}\n\nUsage:  ${`${path} ${command.usage}`.trim()}\n\nRun '${path} --help' for more information`, 1)
    }
    return await command.run(input, { client, path })
  } catch (error) {
    if (error instanceof HelpWanted) {
      print(await helpFor(entry, command, path))
      return 0
    }
    if (error instanceof FlagError) return fail(usageError(error.message, path, command.usage), 125)
    return fail(describeError(error), error instanceof CommandError ? error.status : 1)
  }
}

function usageError(message: string, path: string, usage: string): string {
  return `${message}\n\nUsage:  ${`${path} ${usage}`.trim()}\n\nRun '${path} --help' for more information`
}

/** What is wrong with the number of arguments, in docker's words. */
function argumentProblem({ args: [min, max] }: Command, count: number): string | undefined {
  if (count >= min && count <= max) return undefined
  const words = (number: number): string => `${number} ${number === 1 ? 'argument' : 'arguments'}`
  if (max === 0) return 'accepts no arguments'
  if (min === max) return `requires ${words(min)}`
  if (max === Infinity) return `requires at least ${words(min)}`
  return min === 0 ? `requires at most ${words(max)}` : `requires at least ${min} and at most ${words(max)}`
}

async function helpFor(entry: Entry, command: Command, path: string): Promise<string> {
  const { commandHelp } = await import('./help/command-help.ts')
  return commandHelp(command, path, namesOfEntry(entry))
}

/** What shells ask to complete a line: a candidate on each line, with its description behind a tab. Never fails, never complains. */
async function complete(words: readonly string[], host: string): Promise<number> {
  const { candidates } = await import('./completion/candidates.ts')
  const found = await candidates(words, { ENGINE_HOST: host }).catch(() => [])
  print(found.map(({ word, text }) => `${word}\t${text}\n`).join(''))
  return 0
}

async function help(words: readonly string[]): Promise<number> {
  const man = words[0] === '--man'
  const [first, second] = man ? words.slice(1) : words
  if (first === undefined) return await printOverview(print)
  const group = Object.hasOwn(groups, first) ? groups[first] : undefined
  if (group !== undefined && second === undefined) {
    const { groupHelp } = await import('./help/overview.ts')
    print(groupHelp(first, group))
    return 0
  }
  const entry = group === undefined ? findEntry(commands, first) : findEntry(group.commands, second ?? '')
  if (entry === undefined) return fail(`unknown help topic: ${words.join(' ')}`, 1)
  const path = `engine ${group === undefined ? first : `${first} ${second}`}`
  const { command } = await entry.load()
  print(man ? await manPageFor(entry, command, path) : await helpFor(entry, command, path))
  return 0
}

async function manPageFor(entry: Entry, command: Command, path: string): Promise<string> {
  const [{ manPage }, { VERSION }] = await Promise.all([import('./help/man-page.ts'), import('./version.ts')])
  return manPage(command, path, namesOfEntry(entry), VERSION)
}

async function printOverview(out: (text: string) => void): Promise<number> {
  const { overview } = await import('./help/overview.ts')
  out(overview())
  return 0
}

function fail(message: string, status: number): number {
  if (message !== '') printError(`${message}\n`)
  return status
}
