import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff, text } from '../arguments/flag.ts'
import { render } from '../output/format.ts'
import { naturalOrder } from '../output/views/labels.ts'
import { networkView, type Network } from '../output/views/network.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List networks',
  flags: {
    filter: filterFlag('Provide filter values (e.g. "driver=bridge")', 'f'),
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    'no-trunc': onOff('Do not truncate the output'),
    quiet: onOff('Only display network IDs', { short: 'q' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    const { body } = await client.request<Network[]>('GET', '/networks', { query: { filters: toFilters(flags.filter) } })
    const networks = body.toSorted((a, b) => naturalOrder(a.Name, b.Name))
    print(await render(networkView, networks, { format: flags.format, quiet: flags.quiet, truncate: !flags['no-trunc'] }))
    return 0
  },
})
