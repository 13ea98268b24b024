import { shortId } from '../../arguments/image-reference.ts'
import type { View } from '../format.ts'
import { goTime, humanSince, humanSize } from '../human.ts'

/** What `GET /images/json` says of one image, as far as it is shown. */
export interface ImageSummary {
  readonly Id: string
  readonly RepoTags: readonly string[] | null
  readonly RepoDigests: readonly string[] | null
  readonly Created: number
  readonly Size: number
  readonly SharedSize?: number
  readonly Containers?: number
}

/** One line of the listing: an image under one of its names. */
export interface NamedImage {
  readonly image: ImageSummary
  readonly repository: string
  readonly tag: string
  readonly digest: string
}

export const imageView: View<NamedImage> = {
  type: '*formatter.imageContext',
  quiet: 'ID',
  table: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'],
  headers: {
    ID: 'IMAGE ID', Repository: 'REPOSITORY', Tag: 'TAG', Digest: 'DIGEST', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', Size: 'SIZE',
    Containers: 'CONTAINERS', VirtualSize: 'SIZE', SharedSize: 'SHARED SIZE', UniqueSize: 'UNIQUE SIZE',
  },
  members: ({ image, repository, tag, digest }, truncate) => ({
    ID: truncate ? shortId(image.Id) : image.Id,
    Repository: repository,
    Tag: tag,
    Digest: digest,
    CreatedSince: () => (image.Created === 0 ? 'N/A' : humanSince(image.Created)),
    CreatedAt: () => goTime(image.Created),
    Size: () => humanSize(image.Size),
    Containers: () => unlessUnknown(image.Containers, String),
    VirtualSize: () => humanSize(image.Size, 4),
    SharedSize: () => unlessUnknown(image.SharedSize, (bytes) => humanSize(bytes, 4)),
    UniqueSize: () => unlessUnknown(image.SharedSize, (bytes) => humanSize(image.Size - bytes, 4)),
  }),
}

function unlessUnknown(value: number | undefined, show: (value: number) => string): string {
  return value === undefined || value === -1 ? 'N/A' : show(value)
}

const none = '<none>'

/** An image's lines: one per tag; with `digests` one per tag and digest; one with `<none>` where there is no name at all. */
export function namesOf(image: ImageSummary, digests: boolean): NamedImage[] {
  const tags = new Map<string, string[]>()
  const shas = new Map<string, string[]>()
  const add = (map: Map<string, string[]>, key: string, value: string): void => void map.set(key, [...(map.get(key) ?? []), value])
  for (const reference of image.RepoTags ?? []) {
    const at = reference.lastIndexOf(':')
    if (reference !== `${none}:${none}`) add(tags, reference.slice(0, at), reference.slice(at + 1))
  }
  for (const reference of image.RepoDigests ?? []) {
    const [repository = '', digest = ''] = reference.split('@')
    if (repository !== none) add(shas, repository, digest)
  }
  const lines: NamedImage[] = []
  for (const repository of new Set([...tags.keys(), ...shas.keys()])) {
    const names = tags.get(repository) ?? [none]
    const hashes = digests ? (shas.get(repository) ?? [none]) : [none]
    for (const tag of names) for (const digest of hashes) lines.push({ image, repository, tag, digest })
  }
  return lines.length === 0 ? [{ image, repository: none, tag: none, digest: none }] : lines
}
