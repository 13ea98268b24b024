import { list, onOff, text } from './flag.ts'
import { parseFlags } from './parse.ts'

const flags = {
  host: list('Daemon socket to connect to', { short: 'H' }),
  version: onOff('Print version information and quit', { short: 'v' }),
  debug: onOff('Enable debug mode', { short: 'D', hidden: true }),
  'log-level': text('Set the logging level', { short: 'l', hidden: true }),
}

/** What stands before the command: where the daemon is, and whether only the version is wanted. */
export interface Globals {
  readonly host: string
  readonly version: boolean
  /** The command and everything after it. */
  readonly rest: readonly string[]
}

const DEFAULT_HOST = 'unix:///run/engine.sock'

/**
 * Reads the flags before the command. `--host` goes before ENGINE_HOST, that before DOCKER_HOST.
 * @throws FlagError, HelpWanted; Error for more than one host
 */
export function readGlobals(words: readonly string[], environment: Readonly<Record<string, string | undefined>>): Globals {
  const { flags: given, args } = parseFlags(words, flags, false)
  if (given.host.length > 1) throw new Error('Specify only one -H')
  const chosen = given.host[0] ?? (environment['ENGINE_HOST'] || environment['DOCKER_HOST'] || DEFAULT_HOST)
  // `http+unix://%2Frun%2Fengine.sock` is how some clients write a socket's path.
  const host = chosen.startsWith('http+unix://') ? `unix://${decodeURIComponent(chosen.slice('http+unix://'.length))}` : chosen
  return { host, version: given.version, rest: args }
}
