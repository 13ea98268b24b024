import { defaultPath } from '@engine/runtime'

export interface EnvironmentSettings {
  /** The container's Env: `NAME=value`, or `NAME` to take one away. */
  readonly given: readonly string[]
  /** '' sets no HOSTNAME. */
  readonly hostname: string
  readonly tty: boolean
  readonly home: string
}

/**
 * The environment of a container's process, as Docker and runc put it together: PATH, HOSTNAME, TERM with a terminal, then the
 * container's own (a name again counts last), and HOME at the end unless it is set.
 */
export function environment({ given, hostname, tty, home }: EnvironmentSettings): string[] {
  const variables = new Map<string, string>()
  const set = (variable: string): void => {
    variables.set(variable.slice(0, variable.indexOf('=')), variable)
  }
  set(defaultPath)
  if (hostname !== '') set(`HOSTNAME=${hostname}`)
  if (tty) set('TERM=xterm')
  for (const variable of given) {
    if (variable.includes('=')) set(variable)
    else variables.delete(variable)
  }
  if (!variables.has('HOME')) set(`HOME=${home}`)
  return [...variables.values()]
}
