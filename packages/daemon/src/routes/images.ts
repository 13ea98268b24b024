import { isAtLeast, RequestError } from '@engine/api'
import { writeProgress } from '../answer-stream.ts'
import { bodyStream } from '../body-stream.ts'
import { SENT, StatusAnswer, type Call, type Handlers } from '../call.ts'
import { credentialsOf } from './registries.ts'

/** Serves /images and /commit. */
export const images: Handlers<
  'ImageList' | 'ImageInspect' | 'ImageHistory' | 'ImageTag' | 'ImageDelete' | 'ImagePrune' | 'ImageCreate' | 'ImageCommit'
> = {
  async ImageList({ engine, query, version }) {
    const filters = new Map(query.filters)
    if (query.filter !== undefined && !isAtLeast(version, '1.41')) filters.set('reference', [query.filter])
    const sharedSize = isAtLeast(version, '1.42') && query['shared-size']
    const manifests = isAtLeast(version, '1.47') && query.manifests
    const list = await engine.images.list({ all: query.all, filters, sharedSize, digests: query.digests, manifests })
    return isAtLeast(version, '1.51') ? list : list.map((image) => summaryForVersion(image, version))
  },

  async ImageInspect({ engine, name, query, version }) {
    const manifests = isAtLeast(version, '1.48') && query.manifests
    const platform = isAtLeast(version, '1.49') ? query.platform : undefined
    if (manifests && platform !== undefined) throw new RequestError('conflicting options: manifests and platform options cannot both be set')
    return engine.images.inspect(name, { manifests, platform })
  },
  ImageHistory: ({ engine, name, query, version }) => engine.images.history(name, isAtLeast(version, '1.48') ? query.platform : undefined),

  async ImageTag({ engine, name, query }) {
    const { repository, tag } = repositoryAndTag(query.repo, query.tag)
    // Docker asks no further.
    if (repository === '') return new StatusAnswer(200)
    return await engine.images.tag(name, repository, tag)
  },

  ImageDelete({ engine, name, query, version }) {
    const [platform, another] = isAtLeast(version, '1.50') ? query.platforms : []
    if (another !== undefined) throw new RequestError('multiple platforms are not supported')
    return engine.images.remove(name, { force: query.force, noPrune: query.noprune, platform })
  },
  ImagePrune: ({ engine, query }) => engine.images.prune(query.filters),
  ImageCreate: (call) => (call.query.fromImage === '' ? importImage(call) : pull(call)),

  async ImageCommit({ engine, query, body }) {
    if (query.container === '') throw new RequestError('invalid name or ID supplied: ""')
    return engine.images.commit(query.container, {
      ...repositoryAndTag(query.repo, query.tag),
      comment: query.comment,
      author: query.author,
      pause: query.pause,
      changes: query.changes,
      config: body ?? undefined,
    })
  },
}

type Summary = { readonly RepoTags: readonly string[]; readonly RepoDigests: readonly string[] | null; readonly Containers: number }

/** Before 1.51 containers were not counted; before 1.43 untagged images had a name for that, and no digests were null. */
function summaryForVersion<T extends Summary>(image: T, version: string): T {
  const counted = { ...image, Containers: -1 }
  if (isAtLeast(version, '1.43')) return counted
  const digests = image.RepoDigests?.length === 0 ? null : image.RepoDigests
  if (image.RepoTags.length > 0) return { ...counted, RepoDigests: digests }
  return { ...counted, RepoTags: ['<none>:<none>'], RepoDigests: digests ?? ['<none>@<none>'] }
}

async function pull(call: Call<'ImageCreate'>): Promise<unknown> {
  const { engine, query, signal } = call
  const credentials = credentialsOf(call)
  const ref = reference(query.fromImage, query.tag)
  await writeProgress(engine.images.pull(ref, { platform: query.platform, credentials }, signal), () => call.stream({ 'Content-Type': 'application/json' }))
  return SENT
}

/** `fromImage` and `tag` as one reference: a digest is joined by `@`, and in `fromImage` it counts before `tag`. */
function reference(image: string, tag: string): string {
  if (tag === '' || image.includes('@')) return image
  if (tag.includes(':')) return `${image}@${tag}`
  const split = repositoryAndTag(image, tag)
  if (!/^\w[\w.-]{0,127}$/.test(split.tag)) throw new RequestError('invalid tag format')
  return `${split.repository}:${split.tag}`
}

/** `repo` may hold a tag too (docker import - a:1); `tag` counts before it (moby: httputils.RepoTagReference). */
function repositoryAndTag(repo: string, tag: string): { readonly repository: string; readonly tag: string } {
  const colon = repo.indexOf(':', repo.lastIndexOf('/') + 1)
  if (colon < 0 || repo.includes('@')) return { repository: repo, tag }
  return { repository: repo.slice(0, colon), tag: tag === '' ? repo.slice(colon + 1) : tag }
}

async function importImage(call: Call<'ImageCreate'>): Promise<unknown> {
  const { engine, query, request, signal } = call
  if (query.fromSrc === '') throw new RequestError('one of fromImage and fromSrc is needed')
  const lines = engine.images.import(query.fromSrc === '-' ? bodyStream(request) : query.fromSrc, {
    ...repositoryAndTag(query.repo, query.tag),
    message: query.message,
    changes: query.changes,
    platform: query.platform,
  }, signal)
  await writeProgress(lines, () => call.stream({ 'Content-Type': 'application/json' }))
  return SENT
}
