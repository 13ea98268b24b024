import { shortId } from '../../arguments/image-reference.ts'
import type { View } from '../format.ts'
import { humanSince, humanSize, rfc3339 } from '../human.ts'
import { ellipsis } from '../table.ts'

/** One step of `GET /images/{name}/history`. */
export interface HistoryItem {
  readonly Id: string
  readonly Created: number
  readonly CreatedBy: string
  readonly Size: number
  readonly Comment: string
}

/** @param human sizes and dates in words (`--human`) */
export function historyView(human: boolean): View<HistoryItem> {
  return {
    type: '*image.historyContext',
    quiet: 'ID',
    table: ['ID', human ? 'CreatedSince' : 'CreatedAt', 'CreatedBy', 'Size', 'Comment'],
    headers: { ID: 'IMAGE', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', CreatedBy: 'CREATED BY', Size: 'SIZE', Comment: 'COMMENT' },
    members: (item, truncate) => ({
      ID: truncate ? shortId(item.Id) : item.Id,
      CreatedAt: () => rfc3339(item.Created),
      CreatedSince: () => (item.Created <= 0 ? 'N/A' : human ? humanSince(item.Created) : rfc3339(item.Created)),
      CreatedBy: () => {
        const line = item.CreatedBy.replaceAll('\t', ' ')
        return truncate ? ellipsis(line, 45) : line
      },
      Size: () => (human ? humanSize(item.Size) : String(item.Size)),
      Comment: item.Comment,
    }),
  }
}
