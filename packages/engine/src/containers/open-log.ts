import { hostname } from 'node:os'
import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import { fieldName, fileLimits, journalSocket, openSender, renderTag, syslogSettings, type Forward, type OpenLog, type ReadLog } from '../logs/index.ts'
import type { LogDriver } from '../logs/types.ts'
import type { ContainerPaths } from '../paths.ts'
import type { Container } from './container.ts'

type Options = Readonly<Record<string, string>>

/**
 * What the log pump needs to know of a container.
 * @throws EngineError invalid-argument in Docker's words for options with wrong values
 */
export function openLog(container: Container, paths: ContainerPaths): OpenLog {
  const { driver, options } = loggingOf(container)
  if (driver === 'none') return { directory: paths.directory, driver, options: {} }
  const logPath = fileLimits(driver, options) === undefined ? undefined : logFile(driver, paths)
  const attributes = driver === 'json-file' ? logAttributes(container, options) : {}
  const forward = forwardOf(container, driver, options)
  return {
    directory: paths.directory,
    driver,
    options,
    ...(logPath === undefined ? {} : { logPath }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
    ...(forward === undefined ? {} : { forward }),
  }
}

/**
 * Opens a container's log for a run, once whoever takes its lines could be reached.
 * @throws EngineError in Docker's words
 */
export async function initializeLog(engine: EngineContext, container: Container, paths: ContainerPaths): Promise<void> {
  try {
    const log = openLog(container, paths)
    if (log.forward !== undefined) await reach(log.forward)
    engine.pump.open(container.id, log)
  } catch (cause) {
    const code = cause instanceof EngineError ? cause.code : 'internal'
    throw new EngineError(code, `failed to create task for container: failed to initialize logging driver: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

async function reach(forward: Forward): Promise<void> {
  const sender = await openSender(forward)
  await sender.close()
}

/** Where a container's log is read. @throws EngineError not-implemented when none is kept */
export function readableLog(container: Container, paths: ContainerPaths): Omit<ReadLog, 'ended'> {
  const { driver, options } = loggingOf(container)
  const limits = fileLimits(driver, options)
  if (limits === undefined) throw new EngineError('not-implemented', 'configured logging driver does not support reading')
  return { logPath: logFile(driver, paths), files: limits.files }
}

function loggingOf(container: Container): { readonly driver: LogDriver; readonly options: Options } {
  const { Type, Config } = container.record.hostConfig.LogConfig
  return { driver: Type as LogDriver, options: Config }
}

function logFile(driver: LogDriver, paths: ContainerPaths): string {
  return driver === 'json-file' ? paths.log : paths.localLog
}

function forwardOf(container: Container, driver: LogDriver, options: Options): Forward | undefined {
  if (driver === 'syslog') return { kind: 'syslog', settings: syslogSettings(options), tag: tagOf(container, options), hostname: hostname(), pid: process.pid }
  if (driver !== 'journald') return undefined
  const { id, config } = container.record
  const tag = tagOf(container, options)
  const own = { CONTAINER_ID: id.slice(0, 12), CONTAINER_ID_FULL: id, CONTAINER_NAME: container.name, CONTAINER_TAG: tag, IMAGE_NAME: config.Image, SYSLOG_IDENTIFIER: tag }
  const chosen = Object.entries(chosenAttributes(container, options)).map(([name, value]) => [fieldName(name), value] as const)
  return { kind: 'journald', socket: journalSocket, fields: { ...Object.fromEntries(chosen.filter(([name]) => name !== '')), ...own } }
}

/** What names the container's lines, by default its short id. */
function tagOf(container: Container, options: Options): string {
  const { id, imageId, config, path, args } = container.record
  return renderTag(options['tag'] || '{{.ID}}', { containerId: id, name: container.name, imageId, imageName: config.Image, command: [path, ...args].join(' ') })
}

/** What a json-file log has in every line: labels and variables that were chosen, and the tag where there is one. */
function logAttributes(container: Container, options: Options): Record<string, string> {
  const attributes = chosenAttributes(container, options)
  return options['tag'] ? { ...attributes, tag: tagOf(container, options) } : attributes
}

/** Labels and variables that `--log-opt labels=…, env=…` and their `-regex` forms choose. */
function chosenAttributes(container: Container, options: Options): Record<string, string> {
  const { Labels, Env } = container.record.config
  const variables = Object.fromEntries((Env ?? []).filter((variable) => variable.includes('=')).map((variable) => [variable.slice(0, variable.indexOf('=')), variable.slice(variable.indexOf('=') + 1)]))
  const attributes: Record<string, string> = {}
  for (const [from, names, pattern] of [[Labels, options['labels'], options['labels-regex']], [variables, options['env'], options['env-regex']]] as const) {
    for (const name of names?.split(',') ?? []) if (Object.hasOwn(from, name)) attributes[name] = from[name] as string
    if (pattern === undefined || pattern === '') continue
    const matches = expression(pattern)
    for (const [name, value] of Object.entries(from)) if (matches.test(name)) attributes[name] = value
  }
  return attributes
}

function expression(pattern: string): RegExp {
  try {
    return new RegExp(pattern)
  } catch (cause) {
    throw new EngineError('invalid-argument', `error parsing regexp: ${(cause as Error).message}`, { cause })
  }
}
