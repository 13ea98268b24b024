import { onOff, text } from '../arguments/flag.ts'
import { platformQuery } from '../arguments/platform.ts'
import { render } from '../output/format.ts'
import { historyView, type HistoryItem } from '../output/views/history.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  flags: {
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    human: onOff('Print sizes and dates in human readable format (default true)', { short: 'H', initial: true }),
    'no-trunc': onOff("Don't truncate output"),
    platform: text('Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
    quiet: onOff('Only show image IDs', { short: 'q' }),
  },
  args: [1, 1],
  async run({ flags, args: [image = ''] }, { client }) {
    const platform = platformQuery(flags.platform)
    const { body } = await client.request<HistoryItem[]>('GET', `/images/${image}/history`, { query: { platform } })
    print(await render(historyView(flags.human), body, { format: flags.format, quiet: flags.quiet, truncate: !flags['no-trunc'] }))
    return 0
  },
})
