import type { View } from '../format.ts'
import { humanSize } from '../human.ts'
import type { BuildCache } from './build-cache.ts'
import type { ContainerSummary } from './container.ts'
import type { ImageSummary } from './image.ts'
import type { Volume } from './volume.ts'

/** What may be taken, and what is; in bytes. */
interface Budget {
  readonly MaxSize: number
  readonly Size: number
}

/** What `GET /system/df` says. */
export interface DiskUsage {
  readonly LayersSize: number
  readonly Images: readonly ImageSummary[] | null
  readonly Containers: readonly ContainerSummary[] | null
  readonly Volumes: readonly Volume[] | null
  readonly BuildCache: readonly BuildCache[] | null
  /** Of an engine with limits. */
  readonly Budgets?: { readonly Images?: Budget; readonly BuildCache?: Budget }
}

/** One kind of object, summed up. */
export interface UsageOfKind {
  readonly kind: string
  readonly total: number
  /** Those in use. */
  readonly active: number
  /** Bytes. */
  readonly size: number
  /** Bytes that removing what is not in use gives back. */
  readonly reclaimable: number
  /** Whether the part of the whole is said. */
  readonly percent: boolean
}

export const diskUsageView: View<UsageOfKind> = {
  type: '*formatter.diskUsageImagesContext',
  quiet: 'Type',
  table: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
  headers: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
  members: ({ kind, total, active, size, reclaimable, percent }) => ({
    Type: kind,
    TotalCount: String(total),
    Active: String(active),
    Size: () => humanSize(size, 4),
    Reclaimable: () => `${humanSize(reclaimable, 4)}${percent && size > 0 ? ` (${Math.trunc(reclaimable * 100 / size)}%)` : ''}`,
  }),
}

/** Sums up by kind, as docker does: what is shared by images counts once, and as reclaimable, unless an image in use has it alone. */
export function usageByKind(usage: DiskUsage): UsageOfKind[] {
  const images = usage.Images ?? []
  const containers = usage.Containers ?? []
  const volumes = (usage.Volumes ?? []).filter((volume) => volume.UsageData != null)
  const cache = usage.BuildCache ?? []
  const usedImages = images.filter(({ Containers, Size, SharedSize }) => Containers !== 0 && Size !== -1 && SharedSize !== -1)
  const isActive = ({ State }: ContainerSummary): boolean => /running|paused|restarting/.test(State)
  const known = volumes.filter(({ UsageData }) => UsageData?.Size !== -1)
  const isFree = ({ UsageData }: Volume): boolean => UsageData?.RefCount === 0
  const bytes = sum(containers, ({ SizeRw }) => SizeRw)
  const volumeBytes = sum(known, ({ UsageData }) => UsageData?.Size)
  const cacheBytes = buildCacheSize(cache)
  return [
    {
      kind: 'Images', total: images.length, active: images.filter(({ Containers = 0 }) => Containers > 0).length, size: usage.LayersSize,
      reclaimable: usage.LayersSize - sum(usedImages, ({ Size, SharedSize = 0 }) => Size - SharedSize), percent: true,
    },
    {
      kind: 'Containers', total: containers.length, active: containers.filter(isActive).length, size: bytes,
      reclaimable: sum(containers.filter((container) => !isActive(container)), ({ SizeRw }) => SizeRw), percent: true,
    },
    {
      kind: 'Local Volumes', total: usage.Volumes?.length ?? 0, active: volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0).length, size: volumeBytes,
      reclaimable: sum(known.filter(isFree), ({ UsageData }) => UsageData?.Size), percent: true,
    },
    {
      kind: 'Build Cache', total: cache.length, active: cache.filter(({ InUse }) => InUse).length, size: cacheBytes,
      reclaimable: cacheBytes - sum(cache.filter(({ InUse, Shared }) => InUse && !Shared), ({ Size }) => Size), percent: false,
    },
  ]
}

/** What there is to say of an engine's limits, in lines; '' without any. */
export function budgetLines({ Budgets: { Images, BuildCache } = {} }: DiskUsage): string {
  const line = (what: string, budget: Budget | undefined): string => (budget === undefined ? '' : `${what}: ${humanSize(budget.Size, 4)} of at most ${humanSize(budget.MaxSize, 4)}\n`)
  const lines = line('Images', Images) + line('Build cache', BuildCache)
  return lines === '' ? '' : `\n${lines}`
}

/** Bytes of the build cache that no image has. */
export function buildCacheSize(cache: readonly BuildCache[]): number {
  return sum(cache.filter(({ Shared }) => !Shared), ({ Size }) => Size)
}

function sum<T>(items: readonly T[], of: (item: T) => number | undefined): number {
  return items.reduce((total, item) => total + (of(item) ?? 0), 0)
}
