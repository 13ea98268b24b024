import { commands, groups, namesOfEntry, type Entry } from '../commands/table.ts'
import { VERSION } from '../version.ts'
import { manPage } from './man-page.ts'

/** A page for every command, by its file's name: `engine-run.1`, `engine-container-ls.1`; other names are links to it (`.so`). */
export async function manPages(): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>()
  const add = async (words: readonly string[], entry: Entry): Promise<void> => {
    const name = ['engine', ...words].join('-')
    const { command } = await entry.load()
    pages.set(`${name}.1`, manPage(command, ['engine', ...words].join(' '), namesOfEntry(entry), VERSION))
    for (const alias of entry.aliases ?? []) pages.set(`${['engine', ...words.slice(0, -1), alias].join('-')}.1`, `.so man1/${name}.1\n`)
  }
  for (const [word, entry] of Object.entries(commands)) await add([word], entry)
  for (const [group, { commands: own }] of Object.entries(groups)) for (const [word, entry] of Object.entries(own)) await add([group, word], entry)
  return pages.set('engine.1', overviewPage())
}

function overviewPage(): string {
  const entries = (among: Readonly<Record<string, { readonly summary: string }>>, before = ''): string[] => Object.entries(among).flatMap(([word, { summary }]) => ['.TP', `.B engine${before} ${word}`, summary])
  const lines = [
    `.TH ENGINE 1 "" "engine ${VERSION}" "engine"`, '.SH NAME', String.raw`engine \- run containers`, '.SH SYNOPSIS', '.B engine', String.raw`[\-H HOST] COMMAND`,
    '.SH COMMANDS', ...entries(commands), '.SH GROUPS', ...Object.entries(groups).flatMap(([group, { commands: own }]) => entries(own, ` ${group}`)),
    '.SH ENVIRONMENT', '.TP', '.B ENGINE_HOST', 'where the daemon listens; DOCKER_HOST counts where it is not set', '.SH "SEE ALSO"', String.raw`engine\-run(1), engine\-ps(1)`,
  ]
  return `${lines.join('\n')}\n`
}
