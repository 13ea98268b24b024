import { readFileSync } from 'node:fs'
import { cut } from './csv.ts'
import { errorText } from './error-text.ts'

/**
 * Checks one `--env`: `NAME=value`, or `NAME` alone, which takes the value from the caller's environment where it has one.
 * @throws Error with docker's text
 */
export function readVariable(given: string): string {
  const [name, value] = cut(given)
  if (name === '') throw new Error(`invalid environment variable: ${given}`)
  const own = process.env[name]
  return value === undefined && own !== undefined ? `${name}=${own}` : given
}

/** Checks one `--label`. @throws Error with docker's text */
export function readLabel(given: string): string {
  if (cut(given)[0] === '') throw new Error(`invalid label '${given}': empty name`)
  return given
}

/**
 * Reads an env file: a `NAME=value` per line, `#` starts a comment line, nothing is quoted or expanded. A bare NAME is looked up in
 * the caller's environment when `lookUp`, and left out where that has none; without `lookUp` it has no value.
 * @throws Error with docker's text
 */
export function readKeyValueFile(path: string, lookUp: boolean): string[] {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`open ${path}: ${errorText(error)}`, { cause: error })
  }
  const lines: string[] = []
  for (const line of content.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const trimmed = line.trimStart()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const [name, value] = cut(trimmed)
    if (name === '') throw new Error(`invalid env file (${path}): no variable name on line '${trimmed}'`)
    if (/\s/.test(name)) throw new Error(`invalid env file (${path}): variable '${name}' contains whitespaces`)
    if (value !== undefined) lines.push(trimmed)
    else if (!lookUp) continue
    else if (process.env[name] !== undefined) lines.push(`${name}=${process.env[name]}`)
  }
  return lines
}

/** `['a=b', 'c']` as `{a: 'b', c: ''}`. */
export function toMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs.map((pair) => {
    const [key, value] = cut(pair)
    return [key, value ?? '']
  }))
}

/** As toMap, with null for a key without `=` (build arguments). */
export function toMapWithNull(pairs: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(pairs.map((pair) => {
    const [key, value] = cut(pair)
    return [key, value ?? null]
  }))
}
