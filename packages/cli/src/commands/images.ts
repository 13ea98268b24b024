import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff, text } from '../arguments/flag.ts'
import { render } from '../output/format.ts'
import { imageView, namesOf, type ImageSummary } from '../output/views/image.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  examples: [['engine images -f dangling=true -q', 'ids of those that have no name']],
  flags: {
    all: onOff('Show all images (default hides intermediate images)', { short: 'a' }),
    digests: onOff('Show digests'),
    filter: filterFlag('Filter output based on conditions provided', 'f'),
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    'no-trunc': onOff("Don't truncate output"),
    quiet: onOff('Only show image IDs', { short: 'q' }),
  },
  args: [0, 1],
  async run({ flags, args: [reference] }, { client }) {
    const filters = toFilters([...flags.filter, ...(reference === undefined ? [] : [['reference', reference] as const])])
    const { body } = await client.request<ImageSummary[]>('GET', '/images/json', { query: { all: flags.all ? 1 : undefined, filters } })
    const digests = flags.digests || flags.format?.includes('.Digest') === true
    const view = flags.digests ? { ...imageView, table: ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size'] } : imageView
    const lines = body.flatMap((image) => namesOf(image, digests))
    print(await render(view, lines, { format: flags.format, quiet: flags.quiet, truncate: !flags['no-trunc'] }))
    return 0
  },
})
