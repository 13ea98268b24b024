import { ApiError, type Client } from '../connection/client.ts'
import { indentJson } from '../output/json.ts'
import { CommandError } from './command.ts'
import { describeError } from './messages.ts'
import { print, printError } from '../terminal/output.ts'

/** Gets one object as the daemon's JSON text. @throws ApiError */
export type Fetch = (name: string) => Promise<string>

export interface InspectLook {
  readonly format: string | undefined
  /** The message for a name that nothing has; by default the daemon's. */
  readonly notFound?: (name: string) => string
}

/**
 * Prints objects as one JSON array, or each by a template. Names that are not found are reported after the rest.
 * @returns the exit status
 * @throws CommandError 64 for a template that cannot be read, as docker
 */
export async function inspectObjects(names: readonly string[], fetch: Fetch, look: InspectLook): Promise<number> {
  const template = look.format === undefined || look.format === '' || look.format === 'json' ? undefined : await readTemplate(look.format)
  const texts: string[] = []
  const failures: string[] = []
  for (const name of names) {
    try {
      texts.push((await fetch(name)).trim())
    } catch (error) {
      if (error instanceof ApiError && error.status === 0) throw error
      const missing = error instanceof ApiError && error.status === 404
      failures.push(missing && look.notFound !== undefined ? look.notFound(name) : describeError(error))
    }
  }
  if (template !== undefined) {
    const lines: string[] = []
    for (const text of texts) {
      try {
        lines.push(template(text))
      } catch (error) {
        failures.push(`template parsing error: ${(error as Error).message}`)
        break
      }
    }
    print(lines.length === 0 ? '\n' : lines.map((line) => `${line}\n`).join(''))
  } else if (look.format === 'json') print(`[${texts.join(',')}]\n`)
  else print(`${indentJson(`[${texts.join(',')}]`, '    ')}\n`)
  for (const failure of failures) printError(`${failure}\n`)
  return failures.length > 0 ? 1 : 0
}

async function readTemplate(format: string): Promise<(json: string) => string> {
  const { compile, typed } = await import('../output/go-template/index.ts')
  try {
    const template = compile(format)
    return (json) => template(typed(JSON.parse(json)))
  } catch (error) {
    throw new CommandError(`template parsing error: ${(error as Error).message}`, 64)
  }
}

/** Reads an answer's JSON as text, so that nothing of it is lost. @throws ApiError */
export async function fetchJson(client: Client, path: string, query: Readonly<Record<string, string | number | undefined>> = {}): Promise<string> {
  const { body } = await client.stream('GET', path, { query })
  return await body.text()
}
