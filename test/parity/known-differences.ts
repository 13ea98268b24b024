import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Difference } from './compare.ts'

/** A row of the table in docs/compatibility.md. */
export interface KnownDifference {
  /** Command lines, with `*` for any words. */
  readonly lines: readonly string[]
  /** As in Difference, with `*`. */
  readonly where: readonly string[]
  readonly reason: string
}

const page = join(import.meta.dirname, '../../docs/compatibility.md')
/** Of the daemon, whoever asks; and of engine's command, whichever daemon it asks. */
const headings = { docker: '## What the parity suite meets', engine: "## What the parity suite meets with engine's own command" }

/** Reads a table of differences that are meant to be. */
export function knownDifferences(command: keyof typeof headings): KnownDifference[] {
  const [, section = ''] = readFileSync(page, 'utf8').split(`${headings[command]}\n`)
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((row) => {
    // A pipe within a command line is written as `\|`, as Markdown wants it.
    const [lines = '', where = '', reason = ''] = row.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
    if (reason === '') throw new Error(`${page}: a row without a reason: ${row}`)
    return { lines: quoted(lines), where: quoted(where), reason }
  })
}

/** Whether a row is about a difference of a line. */
export function covers(known: KnownDifference, line: string, { where }: Difference): boolean {
  return known.lines.some((pattern) => glob(pattern).test(line)) && known.where.some((pattern) => glob(pattern).test(where))
}

/** What stands between backquotes. */
function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
}

function glob(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)).join('.*')}$`, 's')
}
