import { shortId } from '../../arguments/image-reference.ts'
import type { View } from '../format.ts'
import { goTime, humanSince, humanSize } from '../human.ts'

/** One record of the build cache, as far as it is shown. */
export interface BuildCache {
  readonly ID: string
  readonly Parents?: readonly string[] | null
  readonly Type: string
  readonly Description: string
  readonly InUse: boolean
  readonly Shared: boolean
  readonly Size: number
  readonly CreatedAt: string
  readonly LastUsedAt?: string | null
  readonly UsageCount: number
}

export const buildCacheView: View<BuildCache> = {
  type: '*formatter.buildCacheContext',
  quiet: 'ID',
  table: ['ID', 'CacheType', 'Size', 'CreatedSince', 'LastUsedSince', 'UsageCount', 'Shared'],
  headers: {
    ID: 'CACHE ID', Parent: 'PARENT', CacheType: 'CACHE TYPE', Size: 'SIZE', CreatedSince: 'CREATED', LastUsedSince: 'LAST USED', UsageCount: 'USAGE', Shared: 'SHARED',
  },
  members: (record, truncate) => ({
    ID: `${truncate ? shortId(record.ID) : record.ID}${record.InUse ? '*' : ''}`,
    Parent: () => ((parents) => (truncate ? shortId(parents) : parents))((record.Parents ?? []).join(', ')),
    CacheType: record.Type,
    Description: record.Description,
    InUse: String(record.InUse),
    Shared: String(record.Shared),
    Size: () => humanSize(record.Size),
    CreatedAt: () => goMoment(record.CreatedAt),
    CreatedSince: () => humanSince(Date.parse(record.CreatedAt) / 1000),
    LastUsedAt: () => (record.LastUsedAt == null ? '' : goMoment(record.LastUsedAt)),
    LastUsedSince: () => (record.LastUsedAt == null ? '' : humanSince(Date.parse(record.LastUsedAt) / 1000)),
    UsageCount: String(record.UsageCount),
  }),
}

/** Those that were not used for longest first. */
export function byLastUse(a: BuildCache, b: BuildCache): number {
  const used = (record: BuildCache): number => (record.LastUsedAt == null ? 0 : Date.parse(record.LastUsedAt))
  return used(a) - used(b) || (a.ID < b.ID ? -1 : 1)
}

function goMoment(text: string): string {
  return goTime(Math.floor(Date.parse(text) / 1000), /\.(\d+)/.exec(text)?.[1]?.replace(/0+$/, ''))
}
