import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff, text, value } from '../arguments/flag.ts'
import { render } from '../output/format.ts'
import { searchView, type SearchResult } from '../output/views/search.ts'
import { registryHeaders } from '../registries/credentials.ts'
import { print } from '../terminal/output.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub for images',
  flags: {
    filter: filterFlag('Filter output based on conditions provided', 'f'),
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    limit: value(Number, 'Max number of search results', { word: 'int' }),
    'no-trunc': onOff("Don't truncate output"),
  },
  args: [1, 1],
  async run({ flags, args: [term = ''] }, { client }) {
    const { body } = await client.request<SearchResult[]>('GET', '/images/search', {
      query: { term, limit: flags.limit, filters: toFilters(flags.filter) },
      headers: await registryHeaders(term),
    })
    print(await render(searchView, body, { format: flags.format, quiet: false, truncate: !flags['no-trunc'] }))
    return 0
  },
})
