import { parseArgs, type ParseArgsConfig } from 'node:util'
import { EngineError } from '@engine/linux'
import { parseAddressPool, parseNetworkOption, parseUlimit } from './config-values.ts'
import { options, type Option } from './options.ts'

/** What the command line asks for. */
export interface CommandLine {
  /** Values by key of engine.json, in the form that the file has. */
  readonly values: Readonly<Record<string, unknown>>
  /** `--config FILE` */
  readonly config: string | undefined
  readonly action: 'run' | 'validate' | 'version' | 'help' | 'teardown'
}

const booleans = new Map([['true', true], ['1', true], ['false', false], ['0', false]])

const hint = 'engined --help lists the options'

/**
 * Reads the command line.
 * @throws EngineError invalid-argument
 */
export function parseFlags(argv: readonly string[]): CommandLine {
  const { values } = parse(argv)
  const read: Record<string, unknown> = {}
  for (const option of options) {
    const value = values[flagOf(option)]
    if (value !== undefined) read[option.key] = fileValue(option, value)
  }
  const actions = (['help', 'version', 'validate', 'teardown'] as const).filter((action) => values[action] === true)
  return { values: read, config: typeof values['config'] === 'string' ? values['config'] : undefined, action: actions[0] ?? 'run' }
}

function parse(argv: readonly string[]): { readonly values: Readonly<Record<string, unknown>> } {
  const config: NonNullable<ParseArgsConfig['options']> = {
    config: { type: 'string' },
    validate: { type: 'boolean' },
    teardown: { type: 'boolean' },
    version: { type: 'boolean', short: 'v' },
    help: { type: 'boolean', short: 'h' },
  }
  for (const option of options) {
    config[flagOf(option)] = {
      type: option.kind === 'switch' ? 'boolean' : 'string',
      multiple: option.kind === 'list',
      ...(option.short === undefined ? {} : { short: option.short }),
    }
  }
  try {
    return parseArgs({ args: argv.map(switchForm), options: config, strict: true, allowPositionals: false, allowNegative: true })
  } catch (error) {
    throw new EngineError('invalid-argument', error instanceof Error ? error.message : String(error), { hint, cause: error })
  }
}

/** `--icc=false`, which parseArgs does not know, as `--no-icc`. */
function switchForm(argument: string): string {
  const match = /^--([a-z-]+)=(.*)$/.exec(argument)
  const option = options.find((one) => flagOf(one) === match?.[1])
  if (match === null || option?.kind !== 'switch') return argument
  const value = booleans.get(match[2] ?? '')
  if (value === undefined) throw new EngineError('invalid-argument', `invalid value for --${match[1]}: ${match[2]} is neither true nor false`)
  return value ? `--${match[1]}` : `--no-${match[1]}`
}

function flagOf(option: Option): string {
  return option.flag ?? option.key
}

/** A flag's value in the form of engine.json. */
function fileValue(option: Option, value: unknown): unknown {
  if (option.kind === 'number') {
    const number = Number(value)
    if (!Number.isInteger(number) || value === '') throw new EngineError('invalid-argument', `invalid value for --${flagOf(option)}: ${String(value)} is no whole number`)
    return number
  }
  if (option.key === 'registries' || option.key === 'archive-limits') return parseJson(option, String(value))
  const list = value as readonly string[]
  if (option.key === 'log-opts') return Object.fromEntries(list.map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)]))
  if (option.key === 'runtimes') return Object.fromEntries(list.map((pair) => [pair.split('=', 1)[0] ?? '', { path: pair.slice(pair.indexOf('=') + 1) }]))
  if (option.key === 'default-ulimits') return Object.fromEntries(list.map(parseUlimit).map((ulimit) => [ulimit.Name, ulimit]))
  if (option.key === 'default-address-pools') return list.map(parseAddressPool)
  if (option.key === 'default-network-opts') {
    const all = list.map(parseNetworkOption)
    return Object.fromEntries(all.map(([driver]) => [driver, Object.fromEntries(all.flatMap(([of, key, text]) => (of === driver ? [[key, text]] : [])))]))
  }
  return value
}

function parseJson(option: Option, value: string): unknown {
  try {
    return JSON.parse(value)
  } catch (cause) {
    throw new EngineError('invalid-argument', `invalid value for --${flagOf(option)}: ${(cause as Error).message}`, { cause })
  }
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = [
    ...options.map((option) => ({ option, text: option.help })),
    { option: { key: 'config', kind: 'text' }, text: 'configuration file (default /etc/engine/engine.json)' } as const,
    { option: { key: 'validate', kind: 'switch' }, text: 'check the configuration and end' } as const,
    { option: { key: 'teardown', kind: 'switch' }, text: 'end all containers and take away what this daemon has made on the host, but for its data' } as const,
    { option: { key: 'version', kind: 'switch', short: 'v' }, text: 'print the version and end' } as const,
    { option: { key: 'help', kind: 'switch', short: 'h' }, text: 'print this and end' } as const,
  ].map(({ option, text }) => {
    const value = { text: ' TEXT', number: ' NUMBER', list: ' TEXT …', switch: '' }[option.kind]
    const short = 'short' in option && option.short !== undefined ? `-${option.short}, ` : '    '
    return [`  ${short}--${flagOf({ ...option, help: '' })}${value}`, text] as const
  })
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return `Usage: engined [OPTIONS]\n\nServes containers: the Docker Engine API on a socket.\nEvery option can stand in the configuration file too, by the name in docs/configuration.md; flags count before it.\n\n${rows
    .map(([left, text]) => left.padEnd(width) + text)
    .join('\n')}\n`
}
