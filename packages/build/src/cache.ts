import { createHash } from 'node:crypto'

/** A file that a step's result depends on. No time stamps: they differ from checkout to checkout. */
export interface KeyFile {
  readonly path: string
  /** Type, mode, owner and content (or target) in one digest. */
  readonly digest: string
}

/** What a step depends on, by name, so that two keys can be compared part by part and the difference told. */
export interface KeyParts {
  /** Id of the image that the step begins from. */
  readonly parent: string
  /** The instruction after expansion, as the image's history tells it. */
  readonly instruction: string
  /** Other settings: build arguments in use, working directory, owner … */
  readonly settings?: Readonly<Record<string, string>>
  readonly files?: readonly KeyFile[]
}

/** The key under which a step's image is kept. Only images that a build made here are ever found by it (CVE-2024-24557). */
export interface CacheKey {
  /** sha256 of the parts, hex. */
  readonly digest: string
  readonly parts: KeyParts
}

/** Raised when what a key is made of changes, so that older keys are never taken for newer ones. */
const version = 3

export function cacheKey(parts: KeyParts): CacheKey {
  const settings = Object.entries(parts.settings ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const files = (parts.files ?? []).map(({ path, digest }) => [path, digest])
  // JSON keeps the parts apart: no two lists of parts give the same text.
  const text = JSON.stringify([version, parts.parent, parts.instruction, settings, files])
  return { digest: createHash('sha256').update(text).digest('hex'), parts }
}

/** One part in which two keys differ; `undefined` is absent there. */
export interface KeyDifference {
  /** `parent`, `instruction`, `settings.chown`, `files./etc/x` */
  readonly part: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** In what two steps' keys differ, parent first. */
export function compareKeys(before: KeyParts, after: KeyParts): KeyDifference[] {
  const a = flatten(before)
  const b = flatten(after)
  const names = [...a.keys(), ...[...b.keys()].filter((name) => !a.has(name))]
  return names.map((part) => ({ part, before: a.get(part), after: b.get(part) })).filter((difference) => difference.before !== difference.after)
}

function flatten(parts: KeyParts): Map<string, string> {
  const flat = new Map([['parent', parts.parent], ['instruction', parts.instruction]])
  for (const [name, value] of Object.entries(parts.settings ?? {})) flat.set(`settings.${name}`, value)
  for (const { path, digest } of parts.files ?? []) flat.set(`files.${path}`, digest)
  return flat
}
