import * as z from 'zod'
import { filters } from './filters.ts'
import { bool, int, json, optionalWord, platform, word, words } from './parameters.ts'

/** An OCI platform as JSON, `{"os":"linux","architecture":"arm64"}`; read as `linux/arm64`. */
const ociPlatform = json(z.object({ os: z.string().default(''), architecture: z.string().default(''), variant: z.string().optional() }), 'platform', 'failed to parse').transform((given, context) => {
  if (given === undefined) return undefined
  if (given.os !== '' && given.architecture !== '') return [given.os, given.architecture, given.variant].filter((part) => part).join('/')
  context.addIssue({ code: 'custom', message: 'both OS and Architecture must be provided' })
  return z.NEVER
})

/** Several of them, a parameter each. */
const ociPlatforms = words.transform((values, context) => values.flatMap((value) => {
  const parsed = ociPlatform.safeParse(value)
  if (parsed.success) return parsed.data ?? []
  context.addIssue({ code: 'custom', message: parsed.error.issues[0]?.message ?? 'failed to parse platform' })
  return []
}))

/** GET /images/json. `filter` (a reference) is what clients before 1.41 send. */
export const ImageListQuery = z.object({ all: bool(), filters, 'shared-size': bool(), digests: bool(), manifests: bool(), filter: optionalWord })

/** GET /images/{name}/json and history. */
export const ImageInspectQuery = z.object({ manifests: bool(), platform: ociPlatform })
export const ImageHistoryQuery = z.object({ platform: ociPlatform })

/** POST /images/{name}/tag */
export const ImageTagQuery = z.object({ repo: word, tag: word })

/** DELETE /images/{name} */
export const ImageDeleteQuery = z.object({ force: bool(), noprune: bool(), platforms: ociPlatforms })

/** POST /images/create: a pull (`fromImage`) or an import (`fromSrc`, `-` for the body). */
export const ImageCreateQuery = z.object({
  fromImage: word,
  fromSrc: word,
  repo: word,
  tag: word,
  message: word,
  changes: words,
  platform,
})

/** POST /images/{name}/push */
export const ImagePushQuery = z.object({ tag: word, platform: ociPlatform })

/** GET /images/{name}/get, GET /images/get and POST /images/load; progress of a load is told only to who asks for it. */
export const ImageGetQuery = z.object({ platform: ociPlatform })
export const ImageGetAllQuery = z.object({ names: words, platform: ociPlatform })
export const ImageLoadQuery = z.object({ quiet: bool(true), platform: ociPlatform })

/** GET /images/search */
export const ImageSearchQuery = z.object({ term: word, limit: int(), filters })

/** POST /commit */
export const ImageCommitQuery = z.object({
  container: word,
  repo: word,
  tag: word,
  comment: word,
  author: word,
  pause: bool(true),
  changes: words,
})
