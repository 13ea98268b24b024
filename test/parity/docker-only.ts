import type { Played } from './play.ts'

/** What the docker command says for reasons of its own, and what stands there when another command says the rest in the same words. */
const sayings: readonly { readonly pattern: RegExp; readonly instead: string; readonly reason: string }[] = [
  { pattern: /^DEPRECATED: .*?\n\n/s, instead: '', reason: 'of its way to build without BuildKit; engine has one way' },
  { pattern: /^Sending build context to Docker daemon/m, instead: 'Sending build context to engine daemon', reason: 'a name' },
  { pattern: /^(?:See|SRun) '/m, instead: "Run '", reason: 'it has three words for the same pointer' },
  { pattern: /\nexit status \d+\n$/, instead: '\n', reason: 'a status that it takes for a message' },
]

/** What was recorded of the docker command, without what only that command says. */
export function withoutDockerOnly(played: Played): Played {
  const { stdout, stderr } = played
  return { ...played, stdout: isLines(stdout) ? told(stdout) : stdout, stderr: told(stderr) }
}

function told(lines: readonly string[]): string[] {
  let text = lines.map((line) => `${line}\n`).join('')
  for (const { pattern, instead } of sayings) text = text.replace(pattern, instead)
  return text === '' ? [] : text.slice(0, -1).split('\n')
}

function isLines(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
