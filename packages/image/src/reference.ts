import { EngineError } from '@engine/linux'
import { isDigest, parseDigest, type Digest } from './digest.ts'

/** An image's name in full: `docker.io/library/busybox:latest`. */
export interface Reference {
  /** `docker.io`, `localhost:5000` */
  readonly domain: string
  /** `library/busybox` */
  readonly path: string
  readonly tag?: string
  readonly digest?: Digest
}

const alphanumeric = '[a-z0-9]+'
const pathComponent = `${alphanumeric}(?:(?:\\.|_|__|-+)${alphanumeric})*`
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const domainPattern = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`
const tagPattern = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}'
const digestPattern = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}'
const referencePattern = new RegExp(`^(${domainPattern})/(${pathComponent}(?:/${pathComponent})*)(?::(${tagPattern}))?(?:@(${digestPattern}))?$`)
const identifierPattern = /^[a-f0-9]{64}$/

const defaultDomain = 'docker.io'
const legacyDomain = 'index.docker.io'
const officialPrefix = 'library/'

/**
 * Parses an image's name as Docker does (distribution/reference, ParseNormalizedNamed): the domain and `library/` may be missing.
 * The tag is not filled in, see {@link withDefaultTag}.
 * @throws EngineError invalid-argument with Docker's texts, `invalid reference format` first of all
 */
export function parseReference(text: string): Reference {
  if (identifierPattern.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`)
  }
  const { domain, remainder } = splitDomain(text)
  const name = remainder.split(/[:@]/, 1)[0] ?? ''
  if (name.toLowerCase() !== name) throw invalid(`invalid reference format: repository name (${name}) must be lowercase`)
  const match = referencePattern.exec(`${domain}/${remainder}`)
  if (match === null) throw invalid('invalid reference format')
  const [, parsedDomain = '', path = '', tag, digest] = match
  if (`${parsedDomain}/${path}`.length > 255) throw invalid('repository name must not be more than 255 characters')
  return {
    domain: parsedDomain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: parseDigest(digest) }),
  }
}

/**
 * The name that a tag is given to: `repository` has neither tag nor digest, `tag` '' is `latest`.
 * @throws EngineError invalid-argument: `invalid reference format`, `invalid tag format`, `refusing to create a tag with a digest reference`
 */
export function parseRepositoryTag(repository: string, tag: string): Reference {
  const { domain, path, digest } = parseReference(repository)
  if (digest !== undefined) throw invalid('cannot import digest reference')
  if (tag === '') return { domain, path, tag: 'latest' }
  if (!new RegExp(`^${tagPattern}$`).test(tag)) throw invalid('invalid tag format')
  return { domain, path, tag }
}

/** The reference with `latest` where it names neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference
}

/**
 * The name that an image is kept under and found by. Of a tag and a digest the digest counts, and the tag may be any
 * (moby reference/store.go, Get).
 */
export function storedName(reference: Reference): string {
  const { domain, path, digest } = reference
  return fullName(digest === undefined ? reference : { domain, path, digest })
}

/** The whole name, unambiguous: `docker.io/library/busybox:latest`. The form that the database keeps. */
export function fullName(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`
}

/** The name as Docker shows it: `busybox:latest`, `localhost:5000/x:1`. */
export function familiarName(reference: Reference): string {
  return `${familiarRepository(reference)}${suffix(reference)}`
}

/** The name without tag and digest as Docker shows it. */
export function familiarRepository(reference: Reference): string {
  if (reference.domain !== defaultDomain) return `${reference.domain}/${reference.path}`
  const rest = reference.path.startsWith(officialPrefix) ? reference.path.slice(officialPrefix.length) : reference.path
  // library/a/b is not the same as a/b, and docker.io/a.b/c not the same as a.b/c.
  if (rest.includes('/') && rest !== reference.path) return reference.path
  return splitDomain(rest).domain === defaultDomain ? rest : `${reference.domain}/${reference.path}`
}

/**
 * What a client may mean by the text it gave for an image: an ID (whole, or the beginning of one) or a name.
 * `sha256:…` and 64 digits can only be an ID.
 */
export function isImageId(text: string): text is Digest | string {
  return isDigest(text) || identifierPattern.test(text)
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
}

function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf('/')
  const first = text.slice(0, Math.max(slash, 0))
  const isDomain = slash > -1 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first)
  const domain = isDomain ? (first === legacyDomain ? defaultDomain : first) : defaultDomain
  const remainder = isDomain ? text.slice(slash + 1) : text
  return { domain, remainder: domain === defaultDomain && !remainder.includes('/') ? officialPrefix + remainder : remainder }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
