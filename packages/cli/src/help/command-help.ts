import type { Flag } from '../arguments/flag.ts'
import type { Command } from '../commands/command.ts'

/**
 * The text of `engine run --help`: usage, what it does, its flags by subject, a line each, and examples.
 * @param path as the command was called: `engine container run`
 * @param names all ways to call it, without `engine`
 */
export function commandHelp(command: Command, path: string, names: readonly string[]): string {
  const parts = [`Usage:  ${`${path} ${command.usage}`.trim()}\n`, `${command.summary}\n`]
  const rows = flagGroups(command).map(([heading, flags]): [string, (readonly [string, string])[]] => [heading, flags.map(([name, flag]) => [label(name, flag), flag.text])])
  const width = Math.max(0, ...rows.flatMap(([, lines]) => lines.map(([left]) => left.length)))
  for (const [heading, lines] of rows) parts.push(section(heading, lines, width))
  const examples = command.examples ?? []
  if (examples.length > 0) parts.push(section('Examples', examples, Math.max(...examples.map(([example]) => example.length))))
  if (names.length > 1) parts.push(`Also: ${names.map((name) => `engine ${name}`).join(', ')}\n`)
  return parts.join('\n')
}

export type Named = readonly [name: string, flag: Flag<unknown>]

/** A command's flags by their headings. */
export function flagGroups(command: Command): [string, Named[]][] {
  const groups = new Map<string, Named[]>()
  for (const [name, flag] of Object.entries(command.flags)) {
    if (flag.hidden === true) continue
    const heading = flag.group ?? 'Options'
    groups.set(heading, [...(groups.get(heading) ?? []), [name, flag]])
  }
  return [...groups]
}

/** How a flag is written: `-p, --publish list`. */
export function label(name: string, flag: Flag<unknown>): string {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `
  return `${short}--${name}${flag.word === '' ? '' : ` ${flag.word}`}`
}

function section(heading: string, lines: readonly (readonly [string, string])[], width: number): string {
  return `${heading}:\n${lines.map(([left, right]) => `  ${left.padEnd(width)}   ${right}\n`).join('')}`
}
