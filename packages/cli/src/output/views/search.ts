import type { View } from '../format.ts'
import { ellipsis } from '../table.ts'

/** What `GET /images/search` says of one repository. */
export interface SearchResult {
  readonly name: string
  readonly description: string
  readonly star_count: number
  readonly is_official: boolean
  readonly is_automated: boolean
}

export const searchView: View<SearchResult> = {
  type: '*formatter.searchContext',
  quiet: 'Name',
  table: ['Name', 'Description', 'StarCount', 'IsOfficial'],
  headers: { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL', IsAutomated: 'AUTOMATED' },
  members: ({ name, description, star_count: stars, is_official: official, is_automated: automated }, truncate) => {
    const line = description.replaceAll('\n', ' ').replaceAll('\r', ' ')
    return {
      Name: name,
      Description: truncate ? ellipsis(line, 45) : line,
      StarCount: String(stars),
      IsOfficial: official ? '[OK]' : '',
      IsAutomated: automated ? '[OK]' : '',
    }
  },
}
