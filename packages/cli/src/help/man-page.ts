import type { Command } from '../commands/command.ts'
import { flagGroups, label } from './command-help.ts'

/**
 * A command's page for man(1), in the macros of man(7).
 * @param path as the command was called: `engine container run`
 * @param names all ways to call it, without `engine`
 * @param version of engine
 */
export function manPage(command: Command, path: string, names: readonly string[], version: string): string {
  const lines = [
    `.TH ${quote(path.replaceAll(' ', '-').toUpperCase())} 1 "" ${quote(`engine ${version}`)} "engine"`,
    '.SH NAME',
    text(`${path.replaceAll(' ', '-')} - ${command.summary}`),
    '.SH SYNOPSIS',
    `.B ${text(path)}`,
    text(command.usage),
    '.SH DESCRIPTION',
    text(`${command.summary}.`),
  ]
  for (const [heading, flags] of flagGroups(command)) {
    lines.push(`.SH ${quote(heading.toUpperCase())}`)
    for (const [name, flag] of flags) lines.push('.TP', `.B ${text(label(name, flag).trim())}`, text(`${flag.text}.`))
  }
  const examples = command.examples ?? []
  if (examples.length > 0) lines.push('.SH EXAMPLES', ...examples.flatMap(([example, what]) => ['.TP', `.B ${text(example)}`, text(what)]))
  if (names.length > 1) lines.push('.SH "OTHER NAMES"', text(names.map((name) => `engine ${name}`).join(', ')))
  lines.push('.SH ENVIRONMENT', '.TP', '.B ENGINE_HOST', 'where the daemon listens; DOCKER_HOST counts where it is not set')
  lines.push('.SH "SEE ALSO"', text('engine help'))
  return `${lines.join('\n')}\n`
}

/** Text that roff takes as it is: backslashes and hyphens escaped, and no line that begins like a request. */
function text(given: string): string {
  const escaped = given.replaceAll('\\', String.raw`\e`).replaceAll('-', String.raw`\-`)
  return /^[.']/.test(escaped) ? String.raw`\&${escaped}` : escaped
}

function quote(given: string): string {
  return `"${text(given).replaceAll('"', String.raw`\(dq`)}"`
}
