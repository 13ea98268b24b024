import type { OpenLog } from '../logs/index.ts'
import type { ContainerPaths } from '../paths.ts'
import type { Container } from './container.ts'

/** What the log pump needs to know of a container. */
export function openLog(container: Container, paths: ContainerPaths): OpenLog {
  const { Type, Config } = container.record.hostConfig.LogConfig
  if (Type === 'none') return { directory: paths.directory, driver: 'none', options: {} }
  const attributes = logAttributes(container, Config)
  return { directory: paths.directory, driver: 'json-file', logPath: paths.log, options: Config, ...(Object.keys(attributes).length === 0 ? {} : { attributes }) }
}

/** Labels and variables that `--log-opt labels=…, env=…` and their `-regex` forms put into every line. */
export function logAttributes(container: Container, options: Readonly<Record<string, string>>): Record<string, string> {
  const { Labels, Env } = container.record.config
  const variables = Object.fromEntries((Env ?? []).filter((variable) => variable.includes('=')).map((variable) => [variable.slice(0, variable.indexOf('=')), variable.slice(variable.indexOf('=') + 1)]))
  const attributes: Record<string, string> = {}
  for (const [from, names, pattern] of [[Labels, options['labels'], options['labels-regex']], [variables, options['env'], options['env-regex']]] as const) {
    for (const name of names?.split(',') ?? []) if (Object.hasOwn(from, name)) attributes[name] = from[name] as string
    if (pattern === undefined || pattern === '') continue
    const matches = new RegExp(pattern)
    for (const [name, value] of Object.entries(from)) if (matches.test(name)) attributes[name] = value
  }
  if (options['tag'] !== undefined && options['tag'] !== '') attributes['tag'] = options['tag']
  return attributes
}
