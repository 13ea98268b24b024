/** The first 12 characters of an ID, without its algorithm. */
export function shortId(id: string): string {
  return id.replace(/^[a-z0-9]+:/, '').slice(0, 12)
}

/** An image as a container names it, for a listing: ids short, `docker.io/library/` and the digest left out. */
export function familiarImage(image: string, imageId: string): string {
  if (shortId(image) === shortId(imageId)) return shortId(image)
  return familiar(image.replace(/@[a-z0-9+._-]+:[0-9a-f]+$/, ''))
}

function familiar(name: string): string {
  return name.replace(/^docker\.io\/(library\/)?/, '')
}

/** Whether the text is an image's ID and not a name. */
export function isImageId(text: string): boolean {
  return /^([a-f0-9]{64}|sha256:[a-f0-9]{64})$/.test(text)
}

/** `ubuntu` as `ubuntu:latest`; what has a tag or a digest stays. */
export function withTag(reference: string): string {
  const name = familiar(reference)
  return /@|:[^/]*$/.test(name) ? name : `${name}:latest`
}

/** `@algorithm:hex` at the end of a name; of SHA-256 all 64 digits (distribution/reference). */
const digest = /@(?:sha256:[0-9a-fA-F]{64}|(?!sha256:)[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})$/

/** A reference taken apart as the API wants it: the whole repository name (`docker.io/library/b`), and the tag. */
export interface Reference {
  readonly repository: string
  readonly tag: string
}

/**
 * Reads `[host[:port]/]name[:tag]`.
 * @throws Error with docker's text
 */
export function readReference(given: string): Reference {
  const match = /^(?:([^/]+)\/)?(.+?)(?::([\w][\w.-]{0,127}))?$/s.exec(given)
  if (match === null) throw new Error('invalid reference format')
  const [, first, rest = '', tag = ''] = match
  const isHost = first !== undefined && (first.includes('.') || first.includes(':') || first === 'localhost' || /[A-Z]/.test(first))
  const path = isHost || first === undefined ? rest : `${first}/${rest}`
  const host = isHost ? first : 'docker.io'
  const whole = `${host === 'docker.io' && !path.includes('/') ? 'library/' : ''}${path}`
  if (/[A-Z]/.test(path)) throw new Error(`invalid reference format: repository name (${whole}) must be lowercase`)
  const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
  if (!new RegExp(`^${component}(?:/${component})*$`).test(path)) throw new Error('invalid reference format')
  return { repository: `${host}/${whole}`, tag }
}

/** A name that an image is to have, as it was given. @throws Error with docker's text */
export function readTag(given: string): string {
  readReference(given)
  return given
}

/** Checks what names an image: an ID, or a name with tag or digest. @throws Error with docker's text */
export function checkImageName(given: string): void {
  if (!isImageId(given)) readReference(given.replace(digest, ''))
}

/** Whether a name is that of one certain image, by its digest. */
export function hasDigest(given: string): boolean {
  return digest.test(given)
}
