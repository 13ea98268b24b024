import { matchPath } from '@engine/build'
import { familiarName, familiarRepository, parseReference, type Digest } from '@engine/image'
import { parseRfc3339 } from '../clock.ts'
import { refuseUnknownFilters } from '../containers/list-filter.ts'
import { booleanFilter, passesLabels } from '../filters.ts'
import type { Filters, Images } from '../interface.ts'
import type { ImageRow } from '../state/images-table.ts'
import type { ImageSummary } from '../types/image-views.ts'
import { untilFilter } from '../until-filter.ts'
import type { ImageStore } from './image-store.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { imageDescriptor, imageManifests } from './manifests.ts'
import { nameViews } from './names.ts'

const known = new Set(['dangling', 'label', 'before', 'since', 'reference', 'until'])

/** Images, newest first; those that only others were made from are left out unless `all` is set (moby daemon/images/images.go). */
export async function listImages({ containers, store }: ImageVerbs, options: Parameters<Images['list']>[0]): Promise<ImageSummary[]> {
  const { filters } = options
  refuseUnknownFilters(filters, known)
  const dangling = booleanFilter(filters, 'dangling')
  const isWanted = timeFilter(store, filters)
  const names = store.images.namesByImage()
  const rows = store.images.all()
  const parents = new Set(rows.map(({ parent }) => parent))
  const sizes = layerSizes(store, options.onDisk === true)
  const shared = options.sharedSize ? sharedSizes(sizes, rows.filter(({ id }) => names.has(id) || !parents.has(id))) : undefined

  const usersOf = Map.groupBy(containers.all(), ({ record }) => record.imageId)
  const summaries: { readonly created: bigint; readonly summary: ImageSummary }[] = []
  for (const row of rows) {
    const created = parseRfc3339(row.config.created ?? '')
    const labels = row.config.config?.Labels ?? null
    if (!isWanted(created) || !passesLabels(filters, labels ?? {})) continue
    const { tags, digests } = nameViews((names.get(row.id) ?? []).filter((name) => matchesReference(filters, name)))
    if (tags.length === 0 && digests.length === 0) {
      const isIntermediate = parents.has(row.id)
      if ((isIntermediate && (!options.all || dangling === true)) || dangling === false || filters.has('reference')) continue
      if (dangling === true && (names.get(row.id) ?? []).length > 0) continue
    } else if (dangling === true && tags.length > 0) {
      continue
    }
    const descriptor = imageDescriptor(store, row.id)
    const manifests = options.manifests ? await imageManifests(store, row, (usersOf.get(row.id) ?? []).map(({ id }) => id)) : []
    summaries.push({
      created,
      summary: {
        Id: row.id,
        ParentId: row.parent,
        RepoTags: tags,
        RepoDigests: digests,
        Created: Number(created / 1_000_000_000n),
        Size: totalSize(sizes.get(row.id)),
        SharedSize: shared === undefined ? -1 : (shared.get(row.id) ?? 0),
        Labels: labels,
        Containers: usersOf.get(row.id)?.length ?? 0,
        ...(descriptor === undefined ? {} : { Descriptor: descriptor }),
        ...(manifests.length === 0 ? {} : { Manifests: manifests }),
      },
    })
  }
  return summaries.sort((a, b) => (a.created === b.created ? (a.summary.Id < b.summary.Id ? -1 : 1) : a.created > b.created ? -1 : 1)).map(({ summary }) => summary)
}

/** `before`, `since` and `until`; the first two name images. One without a date says nothing, and passes none that says something. */
function timeFilter(store: ImageStore, filters: Filters): (created: bigint) => boolean {
  const createdOf = (refs: readonly string[]): bigint[] => refs.map((ref) => parseRfc3339(store.resolve(ref).config.created ?? '')).filter((created) => created > 0n)
  const befores = createdOf(filters.get('before') ?? [])
  const sinces = createdOf(filters.get('since') ?? [])
  // Of several the earliest, here and nowhere else.
  const untils = (filters.get('until') ?? []).map((one) => untilFilter(new Map([['until', [one]]])) ?? 0n)
  if (befores.length + sinces.length + untils.length === 0) return () => true
  return (created) => created > 0n && befores.every((before) => created < before) && sinces.every((since) => created > since) && untils.every((until) => created < until)
}

/** A pattern of Go's path.Match over the name with its tag, or without. */
function matchesReference(filters: Filters, name: string): boolean {
  const patterns = filters.get('reference')
  if (patterns === undefined || patterns.length === 0) return true
  const reference = parseReference(name)
  const forms = [familiarName(reference), familiarRepository(reference)]
  return patterns.some((pattern) => forms.some((form) => matchPath(pattern, form)))
}

/** Bytes of each image's layers, by their ids. */
type LayerSizes = ReadonlyMap<Digest, ReadonlyMap<string, number>>

/** @param onDisk whether the tars that layers came as are counted, which are kept beside their files */
function layerSizes(store: ImageStore, onDisk: boolean): LayerSizes {
  return new Map([...store.layers.byImage()].map(([id, layers]) => [id, new Map(layers.map((layer) => [layer.id, layer.size + (onDisk ? (layer.blob?.size ?? 0) : 0)]))]))
}

function totalSize(layers: ReadonlyMap<string, number> | undefined): number {
  return [...(layers?.values() ?? [])].reduce((total, size) => total + size, 0)
}

/** Bytes of each image's layers that another image has too. @param rows without those that others were only made from */
function sharedSizes(sizes: LayerSizes, rows: readonly ImageRow[]): Map<Digest, number> {
  const users = new Map<string, number>()
  for (const { id } of rows) for (const layer of sizes.get(id)?.keys() ?? []) users.set(layer, (users.get(layer) ?? 0) + 1)
  return new Map([...sizes].map(([image, layers]) => [image, totalSize(new Map([...layers].filter(([layer]) => (users.get(layer) ?? 0) > 1)))]))
}
