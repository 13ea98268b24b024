import { familiarName, familiarRepository, parseReference } from '@engine/image'

/** An image's names as Docker's views split them. */
export interface NameViews {
  /** `busybox:latest` */
  readonly tags: string[]
  /** `busybox@sha256:…` */
  readonly digests: string[]
}

/** @param names whole ones, from the database */
export function nameViews(names: readonly string[]): NameViews {
  const references = names.map(parseReference)
  return {
    tags: references.filter(({ digest }) => digest === undefined).map(familiarName),
    digests: references.filter(({ digest }) => digest !== undefined).map((reference) => `${familiarRepository(reference)}@${reference.digest}`),
  }
}
