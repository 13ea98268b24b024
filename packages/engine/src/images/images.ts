import { EngineError } from '@engine/linux'
import type { Images, Progress } from '../interface.ts'
import { commitContainer } from './commit.ts'
import { imageHistory } from './history.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { importImage } from './import.ts'
import { inspectImage } from './inspect.ts'
import { listImages } from './list.ts'
import { pruneImages } from './prune.ts'
import { removeImage } from './remove.ts'
import { tagImage } from './tag.ts'

/** The verbs of images. @param build of package build, put together elsewhere */
export function imageVerbs(verbs: ImageVerbs, build: Images['build']): Images {
  return {
    list: (options) => listImages(verbs, options),
    inspect: (ref) => inspectImage(verbs, ref),
    history: (ref) => imageHistory(verbs, ref),
    tag: (ref, repository, tag) => tagImage(verbs, ref, repository, tag),
    remove: (ref, options) => removeImage(verbs, ref, options),
    prune: (filters) => pruneImages(verbs, filters),
    import: (tar, options) => importImage(verbs, tar, options),
    pull: (ref) => refusePull(ref),
    build,
    commit: (container, options) => commitContainer(verbs, container, options),
  }
}

function refusePull(ref: string): AsyncIterable<Progress> {
  const error = new EngineError('not-implemented', `cannot pull ${ref}: registries are not supported yet`, {
    hint: 'make the image here: with `build`, or from a tar with `import`',
  })
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }
}
