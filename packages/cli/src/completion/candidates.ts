import { readGlobals } from '../arguments/globals.ts'
import type { Flag } from '../arguments/flag.ts'
import type { Command } from '../commands/command.ts'
import { commands, findEntry, groups, type Entry } from '../commands/table.ts'
import { connect } from '../connection/client.ts'
import { namesOf, type Kind } from './names.ts'

/** One way to go on with a command line. */
export interface Candidate {
  readonly word: string
  readonly text: string
}

const globalFlags: readonly Candidate[] = [
  { word: '--host', text: 'Daemon socket to connect to' },
  { word: '--version', text: 'Print version information and quit' },
  { word: '--help', text: 'Print usage' },
]

/** Values of flags that have few. */
const choices: Readonly<Record<string, readonly string[]>> = {
  pull: ['always', 'missing', 'never'],
  restart: ['no', 'always', 'unless-stopped', 'on-failure'],
  'log-driver': ['json-file', 'local', 'journald', 'syslog', 'none'],
  signal: ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGCONT', 'SIGSTOP'],
  type: ['container', 'image', 'network', 'volume'],
  ipc: ['private', 'shareable', 'host', 'none', 'container:'],
  cgroupns: ['private', 'host'],
  attach: ['stdin', 'stdout', 'stderr'],
}
const kindOfFlag: Readonly<Record<string, Kind>> = { network: 'network', net: 'network', 'volumes-from': 'container', link: 'container' }

/** Commands that want a container that runs. */
const ofRunning = new Set(['attach', 'exec', 'kill', 'pause', 'stop', 'top'])

/**
 * How a command line may go on: commands, flags, and names of what the daemon has. Nothing is said of files: where this is empty, the
 * shell completes them.
 * @param words after `engine`; the last is the one that is being typed, and may be empty
 */
export async function candidates(words: readonly string[], environment: Readonly<Record<string, string | undefined>>): Promise<Candidate[]> {
  const typed = words.at(-1) ?? ''
  const { host, rest } = readGlobals(words.slice(0, -1), environment)
  return (await beginnings(rest, typed, host)).filter(({ word }) => word.startsWith(typed))
}

async function beginnings(before: readonly string[], typed: string, host: string): Promise<Candidate[]> {
  const [first, second, ...others] = before
  if (first === undefined) return typed.startsWith('-') ? [...globalFlags] : [...entries(commands), ...Object.entries(groups).map(([word, { summary }]) => ({ word, text: summary })), { word: 'help', text: 'Help about any command' }]
  if (first === 'help') return second === undefined ? [...entries(commands), ...entries(groups)] : Object.hasOwn(groups, second) ? entries(groups[second]?.commands ?? {}) : []
  const group = Object.hasOwn(groups, first) ? groups[first] : undefined
  if (group === undefined) return ofCommand(first, findEntry(commands, first), before.slice(1), typed, host)
  return second === undefined ? entries(group.commands) : ofCommand(second, findEntry(group.commands, second), others, typed, host)
}

function entries(table: Readonly<Record<string, Pick<Entry, 'summary'>>>): Candidate[] {
  return Object.entries(table).map(([word, { summary }]) => ({ word, text: summary }))
}

async function ofCommand(name: string, entry: Entry | undefined, before: readonly string[], typed: string, host: string): Promise<Candidate[]> {
  if (entry === undefined) return []
  const { command } = await entry.load()
  const place = placeOf(command, before)
  if (place.flag !== undefined) return valuesOf(place.flag, host)
  const assigned = /^--([\w-]+)=/.exec(typed)?.[1]
  if (assigned !== undefined) return (await valuesOf(assigned, host)).map(({ word, text }) => ({ word: `--${assigned}=${word}`, text }))
  if (typed.startsWith('-') && place.flagsGoOn) return flagsOf(command)
  const kind = kindAt(command, place.arguments)
  if (kind === undefined) return []
  const found = await namesOf(connect(host), kind, { running: ofRunning.has(name) })
  return found.map((word) => ({ word, text: kind }))
}

interface Place {
  /** The flag whose value is being typed. */
  readonly flag: string | undefined
  /** Arguments so far. */
  readonly arguments: number
  readonly flagsGoOn: boolean
}

/** Where on a command's line the next word stands. */
function placeOf({ flags, flagsFirst }: Command, words: readonly string[]): Place {
  let args = 0
  let open: string | undefined
  let ended = false
  for (const word of words) {
    if (open !== undefined) open = undefined
    else if (ended || !word.startsWith('-') || word === '-') {
      args += 1
      ended ||= flagsFirst === true
    } else if (word === '--') ended = true
    else open = flagTaking(flags, word)
  }
  return { flag: open, arguments: args, flagsGoOn: !ended }
}

/** The flag of a word that wants the next word for its value. */
function flagTaking(flags: Readonly<Record<string, Flag<unknown>>>, word: string): string | undefined {
  if (word.startsWith('--')) {
    const name = word.slice(2)
    return Object.hasOwn(flags, name) && flags[name]?.bare === undefined ? name : undefined
  }
  for (const [index, letter] of Array.from(word.slice(1)).entries()) {
    const found = Object.entries(flags).find(([, { short }]) => short === letter)
    // What follows the letter of a flag with a value is that value.
    if (found === undefined || found[1].bare === undefined) return index === word.length - 2 ? found?.[0] : undefined
  }
  return undefined
}

async function valuesOf(flag: string, host: string): Promise<Candidate[]> {
  const kind = kindOfFlag[flag]
  if (kind !== undefined) return (await namesOf(connect(host), kind, {})).map((word) => ({ word, text: kind }))
  return (choices[flag] ?? []).map((word) => ({ word, text: '' }))
}

function flagsOf({ flags }: Command): Candidate[] {
  const shown = Object.entries(flags).filter(([, { hidden }]) => hidden !== true)
  return [...shown.map(([name, { text }]) => ({ word: `--${name}`, text })), { word: '--help', text: 'Print usage' }]
}

/** What kind of thing the usage names at a place: `[OPTIONS] CONTAINER [CONTAINER...]`. */
function kindAt({ usage, args: [, most] }: Command, index: number): Kind | undefined {
  if (index >= most) return undefined
  const wanted = usage.replace('[OPTIONS]', '').trim().split(/\s+/).map((word) => word.replaceAll(/[[\].]/g, ''))
  const word = wanted[index] ?? (usage.trimEnd().endsWith('...]') ? wanted.at(-1) : undefined) ?? ''
  if (/^(CONTAINER|NAME\|ID)/.test(word)) return 'container'
  if (/^(IMAGE|SOURCE_IMAGE)/.test(word)) return 'image'
  if (word.startsWith('NETWORK')) return 'network'
  return word.startsWith('VOLUME') ? 'volume' : undefined
}
