import { compareKeys, type KeyDifference, type KeyParts } from './cache.ts'

/** Files that are named one by one; of more only the number is told. */
const maxFiles = 5

/**
 * Says why a step was not in the cache: in what it differs from the nearest step that is.
 * @param candidates keys that are there
 */
export function explainMiss(key: KeyParts, candidates: readonly KeyParts[]): string[] {
  const nearest = candidates
    .filter((candidate) => keyword(candidate) === keyword(key))
    .map((candidate) => ({ candidate, differences: compareKeys(candidate, key) }))
    .toSorted((a, b) => distance(a.differences) - distance(b.differences))[0]
  if (nearest === undefined) return ['no earlier build has had a step like it']
  const { differences } = nearest
  if (differences.length === 0) return ['the image that an earlier build made of it is gone']
  const files = differences.filter(({ part }) => part.startsWith('files.'))
  // The text of RUN has the build arguments, that of COPY the digest of the files: what they say is told by those.
  const told = files.length > 0 || differences.some(({ part }) => part === 'settings.command')
  const parts = differences.filter(({ part }) => !part.startsWith('files.')).map((difference) => explainPart(difference, told))
  return [...parts.filter((text) => text !== ''), ...explainFiles(files)]
}

/** `COPY`, `ENV` …; RUN, which history shows without a name, is empty. */
function keyword({ instruction }: KeyParts): string {
  return /#\(nop\) +([A-Z]+)/.exec(instruction)?.[1] ?? ''
}

/** Another instruction is further away than any number of files, and another parent further than that is. */
function distance(differences: readonly KeyDifference[]): number {
  let sum = 0
  for (const { part } of differences) sum += part === 'instruction' ? 1e6 : part.startsWith('settings.') ? 1e4 : part === 'parent' ? 1e5 : 1
  return sum
}

function explainPart({ part, before, after }: KeyDifference, told: boolean): string {
  if (part === 'parent') return 'the step before it (or the base image) has another result'
  if (part === 'instruction') {
    const bare = (text: string | undefined): string => (text ?? '').replace(/\b(?:file|dir|multi):[0-9a-f]{64}/g, '')
    if (told && (before?.includes('#(nop)') !== true || bare(before) === bare(after))) return ''
    return `the instruction was ${JSON.stringify(before ?? '')}`
  }
  const name = part.replace(/^settings\./, '')
  if (name === 'command') return explainCommand(before, after)
  return before === undefined ? `${name} is new: ${after}` : after === undefined ? `${name} is gone: ${before}` : `${name} was ${before}, is ${after}`
}

/** Build arguments and arguments of the command. */
function explainCommand(before: string | undefined, after: string | undefined): string {
  const [oldArgs] = read(before)
  const [newArgs] = read(after)
  const changed = newArgs.filter((arg) => !oldArgs.includes(arg)).map((arg) => arg.split('=', 1)[0])
  const gone = oldArgs.filter((arg) => !newArgs.some((other) => other.split('=', 1)[0] === arg.split('=', 1)[0])).map((arg) => arg.split('=', 1)[0])
  if (changed.length > 0) return `build argument ${changed.join(', ')} has another value`
  if (gone.length > 0) return `build argument ${gone.join(', ')} is gone`
  return 'the command is another one'
}

function read(text: string | undefined): [string[], string[]] {
  const parsed: unknown = text === undefined ? undefined : JSON.parse(text)
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [])
  return Array.isArray(parsed) ? [list(parsed[0]), list(parsed[1])] : [[], []]
}

function explainFiles(differences: readonly KeyDifference[]): string[] {
  // A directory differs with its attributes only; when a file in it is new or gone that file tells it.
  const told = differences.slice(0, maxFiles).map(({ part, before, after }) => {
    const path = part.slice('files.'.length)
    return before === undefined ? `${path} is new and not ignored` : after === undefined ? `${path} is gone` : `${path} changed`
  })
  return differences.length > maxFiles ? [...told, `and ${differences.length - maxFiles} more files`] : told
}
