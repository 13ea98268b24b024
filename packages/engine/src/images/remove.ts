import { familiarName, parseReference, storedName, withDefaultTag, type Digest } from '@engine/image'
import { EngineError } from '@engine/linux'
import { isRunning } from '../containers/state.ts'
import type { ImageDelete } from '../types/image-views.ts'
import { askedPlatform, checkPlatform } from './check-platform.ts'
import { shortId } from './errors.ts'
import type { ImageVerbs } from './image-verbs.ts'

export interface RemoveImageOptions {
  /** Also when stopped containers use it, or when it has more names than one. */
  readonly force: boolean
  /** Leave images that it was made from, though nothing else needs them. */
  readonly noPrune: boolean
  /** `os/architecture[/variant]` that it must be made for. */
  readonly platform?: string | undefined
}

/**
 * Removes a name, and with the last one the image, as Docker does (moby daemon/images/image_delete.go): by a name only that name goes
 * while there are others, and with the last tag of a repository its digests there; by an id the image goes, unless it has names in
 * several places.
 * @throws EngineError not-found, conflict in Docker's words
 */
export async function removeImage(verbs: ImageVerbs, ref: string, options: RemoveImageOptions): Promise<ImageDelete[]> {
  const { store } = verbs
  const image = store.resolve(ref)
  if (options.platform !== undefined) checkPlatform(ref, image, askedPlatform(options.platform))
  const records: ImageDelete[] = []
  const names = store.images.names(image.id)
  if (!isIdPrefix(image.id, ref)) {
    if (!options.force && isSingle(names)) refuseUsedName(verbs, ref, image.id)
    const reference = withDefaultTag(parseReference(ref))
    const name = storedName(reference)
    untag(verbs, image.id, name)
    // As it was given: of a tag and a digest both.
    records.push({ Untagged: familiarName(reference) })
    for (const digest of uselessDigests(name, store.images.names(image.id))) records.push(untag(verbs, image.id, digest))
    if (store.images.names(image.id).length > 0) return records
    await deleteImage(verbs, image.id, records, { ...options, quiet: true })
    // A build, push or save that needs it has it to the end; then it goes, unless it has got a name again.
    if (store.isHeld(image.id)) store.whenReleased(image.id, () => deleteImage(verbs, image.id, [], { ...options, force: false, quiet: true }))
    return records
  }
  if (isSingle(names)) {
    refuse(verbs, image.id, { hard: true, references: false, stopped: !options.force })
    for (const name of names) records.push(untag(verbs, image.id, name))
  }
  await deleteImage(verbs, image.id, records, { ...options, quiet: false })
  return records
}

/** Removes an image, and then the one that it was made from if nothing else needs that. */
async function deleteImage(verbs: ImageVerbs, id: Digest, records: ImageDelete[], options: RemoveImageOptions & { readonly quiet: boolean }): Promise<void> {
  const { store } = verbs
  const conflict = findConflict(verbs, id, { hard: true, references: !options.force, stopped: !options.force })
  if (conflict !== undefined) {
    // What the client asked for is done: the name is gone, the image stays for its children or containers.
    if (options.quiet && (store.images.names(id).length > 0 || store.images.children(id).length > 0 || conflict.used)) return
    throw conflict.error
  }
  const image = store.images.get(id)
  if (image === undefined) return
  for (const name of store.images.names(id)) records.push(untag(verbs, id, name))
  const layers = await store.delete(id)
  // It is gone, and its labels with it.
  verbs.events.publish('image', 'delete', id, { name: id })
  records.push({ Deleted: id }, ...layers.map((layer) => ({ Deleted: layer })))
  if (options.noPrune || image.parent === '' || store.images.names(image.parent).length > 0) return
  await deleteImage(verbs, image.parent, records, { force: false, noPrune: false, quiet: true })
}

function untag({ store }: ImageVerbs, id: Digest, name: string): ImageDelete {
  const image = store.images.get(id)
  store.images.deleteName(name)
  if (image !== undefined) store.publish('untag', image, id)
  return { Untagged: familiarName(parseReference(name)) }
}

interface Conflict {
  readonly error: EngineError
  /** A container is the reason. */
  readonly used: boolean
}

interface Rules {
  readonly hard: boolean
  readonly references: boolean
  readonly stopped: boolean
}

function refuse(verbs: ImageVerbs, id: Digest, rules: Rules): void {
  const conflict = findConflict(verbs, id, rules)
  if (conflict !== undefined) throw conflict.error
}

function findConflict({ containers, store }: ImageVerbs, id: Digest, rules: Rules): Conflict | undefined {
  const conflict = (hard: boolean, reason: string, used: boolean): Conflict => ({
    error: new EngineError('conflict', `conflict: unable to delete ${shortId(id)} (${hard ? 'cannot' : 'must'} be forced) - ${reason}`),
    used,
  })
  const users = containers.usersOfImage(id)
  if (rules.hard) {
    if (store.images.children(id).length > 0) return conflict(true, 'image has dependent child images', false)
    const running = users.find(({ state }) => isRunning(state))
    if (running !== undefined) return conflict(true, `image is being used by running container ${shortId(running.id)}`, true)
    if (store.isHeld(id)) return conflict(true, 'image is being used by a build', true)
  }
  if (rules.references && store.images.names(id).length > 0) return conflict(false, 'image is referenced in multiple repositories', false)
  const stopped = rules.stopped ? users.find(({ state }) => !isRunning(state)) : undefined
  return stopped === undefined ? undefined : conflict(false, `image is being used by stopped container ${shortId(stopped.id)}`, true)
}

/** The image would be left without a name and with a container. */
function refuseUsedName({ containers }: ImageVerbs, ref: string, id: Digest): void {
  const [user] = containers.usersOfImage(id)
  if (user === undefined) return
  throw new EngineError(
    'conflict',
    `conflict: unable to remove repository reference ${JSON.stringify(ref)} (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(id)}`,
  )
}

/** Whether all names are of one repository, and at most one of them is a tag (moby: isSingleReference). */
function isSingle(names: readonly string[]): boolean {
  return names.length <= 1 || (names.filter(isTag).length <= 1 && new Set(names.map(repositoryOf)).size === 1)
}

/** Digests of a repository are of no use when its last tag is gone. @param name the one that went @param left those that the image still has */
function uselessDigests(name: string, left: readonly string[]): string[] {
  const same = left.filter((one) => repositoryOf(one) === repositoryOf(name))
  return isTag(name) && !same.some(isTag) ? same : []
}

function repositoryOf(name: string): string {
  const { domain, path } = parseReference(name)
  return `${domain}/${path}`
}

function isTag(name: string): boolean {
  return !name.includes('@')
}

function isIdPrefix(id: Digest, ref: string): boolean {
  return id.startsWith(ref) || id.slice('sha256:'.length).startsWith(ref)
}
