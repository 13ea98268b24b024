import { EngineError } from '@engine/linux'
import { parseMemory } from './sizes.ts'
import { syslogSettings } from './syslog-options.ts'

const labels = ['labels', 'labels-regex', 'env', 'env-regex', 'tag']
/** Options that every driver has; they are checked before its own. */
const common = new Set(['mode', 'max-buffer-size', 'cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'])
const known: Readonly<Record<string, readonly string[]>> = {
  'json-file': ['max-size', 'max-file', 'compress', ...labels],
  local: ['max-size', 'max-file', 'compress'],
  journald: labels,
  syslog: ['syslog-address', 'syslog-facility', 'syslog-format', 'syslog-tls-ca-cert', 'syslog-tls-cert', 'syslog-tls-key', 'syslog-tls-skip-verify', ...labels],
}
const othersOfDocker = new Set(['gelf', 'fluentd', 'awslogs', 'splunk', 'gcplogs', 'etwlogs'])

/** Names of the log drivers that there are, `none` aside. */
export const logDrivers: readonly string[] = Object.keys(known).sort()

/**
 * Checks a container's log driver and the names of its options, as Docker does when a container is created; values are looked at when it starts.
 * @throws EngineError invalid-argument in Docker's words, not-implemented for drivers that Docker has and engine has not
 */
export function checkLogging({ Type, Config }: { readonly Type: string; readonly Config: Readonly<Record<string, string>> }): void {
  if (Type === 'none') return
  if (othersOfDocker.has(Type)) {
    throw new EngineError('not-implemented', `logging driver "${Type}" is not supported`, { hint: `use one of ${logDrivers.join(', ')}` })
  }
  const own = known[Type]
  if (own === undefined) throw new EngineError('invalid-argument', `error looking up logging plugin ${Type}: plugin "${Type}" not found`)
  checkCommon(Config)
  for (const name of Object.keys(Config)) {
    if (!common.has(name) && !own.includes(name)) throw new EngineError('invalid-argument', `unknown log opt '${name}' for ${Type === 'local' ? 'log driver local' : `${Type} log driver`}`)
  }
  if (Type === 'syslog') syslogSettings(Config)
}

function checkCommon(options: Readonly<Record<string, string>>): void {
  const { mode } = options
  if (mode !== undefined && !['', 'blocking', 'non-blocking'].includes(mode)) throw new EngineError('invalid-argument', `logger: logging mode not supported: ${mode}`)
  const size = options['max-buffer-size']
  if (size !== undefined) {
    if (mode !== 'non-blocking') throw new EngineError('invalid-argument', "logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    if (parseMemory(size) === undefined) throw new EngineError('invalid-argument', `error parsing option max-buffer-size: invalid size: '${size}'`)
  }
  const disabled = options['cache-disabled']
  if (disabled !== undefined && disabled !== '' && parseBoolean(disabled) === undefined) {
    throw new EngineError('invalid-argument', `invalid value for option cache-disabled: ${disabled}`)
  }
}

/** Go's strconv.ParseBool; undefined for what is none. */
export function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}
