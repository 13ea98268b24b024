import { fullName, parseRepositoryTag } from '@engine/image'
import type { ImageVerbs } from './image-verbs.ts'

/** Gives an image one more name; another image that has it loses it. Without a repository nothing happens, as with Docker. */
export async function tagImage({ store }: ImageVerbs, ref: string, repository: string, tag: string): Promise<void> {
  const name = repository === '' ? undefined : parseRepositoryTag(repository, tag)
  const image = store.resolve(ref)
  if (name !== undefined) await store.tag(image.id, fullName(name))
}
