import { EngineError } from '@engine/linux'
import type { HostConfigView } from '../types/container-config.ts'

const drivers = new Set(['json-file', 'none'])
const othersOfDocker = new Set(['local', 'syslog', 'journald', 'gelf', 'fluentd', 'awslogs', 'splunk', 'gcplogs', 'etwlogs'])
const jsonFileOptions = new Set(['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag', 'mode', 'max-buffer-size'])

/**
 * Checks a container's log driver and the names of its options, as Docker does when a container is created.
 * @throws EngineError invalid-argument in Docker's words, not-implemented for drivers of other issues
 */
export function checkLogging({ Type, Config }: HostConfigView['LogConfig']): void {
  if (othersOfDocker.has(Type)) {
    throw new EngineError('not-implemented', `logging driver "${Type}" is not supported yet`, { hint: 'use --log-driver json-file or --log-driver none' })
  }
  if (!drivers.has(Type)) throw new EngineError('invalid-argument', `error looking up logging plugin ${Type}: plugin "${Type}" not found`)
  if (Type === 'none') return
  for (const name of Object.keys(Config)) {
    if (!jsonFileOptions.has(name)) throw new EngineError('invalid-argument', `unknown log opt '${name}' for json-file log driver`)
  }
}
