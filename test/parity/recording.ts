import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import type { Played } from './play.ts'

const directory = join(import.meta.dirname, 'recorded')

const texts = z.array(z.string())
const Recording = z.object({
  /** Versions of the daemon and of the command that were recorded. */
  server: z.string(),
  client: z.string(),
  lines: z.array(z.object({ line: z.string(), status: z.number(), stdout: z.unknown(), stderr: texts, events: texts })),
})

export type Recording = z.infer<typeof Recording>

/** What a real Docker Engine did for a scenario. @throws when it has not been recorded */
export function readRecording(scenario: string): Recording {
  return Recording.parse(JSON.parse(readFileSync(join(directory, `${scenario}.json`), 'utf8')))
}

export function writeRecording(scenario: string, versions: { readonly server: string; readonly client: string }, lines: readonly Played[]): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, `${scenario}.json`), `${JSON.stringify({ ...versions, lines }, null, 1)}\n`)
}
