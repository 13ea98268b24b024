import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff, text } from '../arguments/flag.ts'
import { render } from '../output/format.ts'
import { naturalOrder } from '../output/views/labels.ts'
import { volumeView, type Volume } from '../output/views/volume.ts'
import { defineCommand } from './command.ts'
import { print, printError } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List volumes',
  flags: {
    filter: filterFlag('Provide filter values (e.g. "dangling=true")', 'f'),
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    quiet: onOff('Only display volume names', { short: 'q' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    const { body } = await client.request<{ Volumes: Volume[] | null; Warnings: string[] | null }>('GET', '/volumes', { query: { filters: toFilters(flags.filter) } })
    for (const warning of body.Warnings ?? []) printError(`WARNING: ${warning}\n`)
    const volumes = (body.Volumes ?? []).toSorted((a, b) => naturalOrder(a.Name, b.Name))
    print(await render(volumeView, volumes, { format: flags.format, quiet: flags.quiet }))
    return 0
  },
})
