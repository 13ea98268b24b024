import { login } from '@engine/image'
import type { Images } from '../interface.ts'
import { commitContainer } from './commit.ts'
import { inspectDistribution } from './distribution.ts'
import { imageHistory } from './history.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { importImage } from './import.ts'
import { inspectImage } from './inspect.ts'
import { listImages } from './list.ts'
import { loadImages } from './load.ts'
import { pruneImages } from './prune.ts'
import { pushImage } from './push.ts'
import { pullImage } from './pull.ts'
import { removeImage } from './remove.ts'
import { saveImages } from './save.ts'
import { searchImages } from './search.ts'
import { tagImage } from './tag.ts'

/** The verbs of images. @param build of package build, put together elsewhere */
export function imageVerbs(verbs: ImageVerbs, build: Images['build']): Images {
  return {
    list: (options) => listImages(verbs, options),
    inspect: (ref, options) => inspectImage(verbs, ref, options),
    history: (ref, platform) => imageHistory(verbs, ref, platform),
    tag: (ref, repository, tag) => tagImage(verbs, ref, repository, tag),
    remove: (ref, options) => removeImage(verbs, ref, options),
    prune: (filters) => pruneImages(verbs, filters),
    save: (refs, platform) => saveImages(verbs, refs, platform),
    load: (tar, options, signal) => loadImages(verbs, tar, options, signal),
    import: (source, options, signal) => importImage(verbs, source, options, signal),
    pull: (ref, options, signal) => pullImage(verbs, ref, options, signal),
    push: (name, options, signal) => pushImage(verbs, name, options, signal),
    distribution: (name, credentials, signal) => inspectDistribution(verbs, name, credentials, signal),
    search: (term, options, signal) => searchImages(verbs, term, options, signal),
    login: async (credentials, signal) => ({ Status: 'Login Succeeded', IdentityToken: await login(credentials, verbs.registries.options, signal) }),
    build,
    commit: (container, options) => commitContainer(verbs, container, options),
  }
}
