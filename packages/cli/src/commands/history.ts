import { onOff, text } from '../arguments/flag.ts'
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
    quiet: onOff('Only show image IDs', { short: 'q' }),
  },
  args: [1, 1],
  async run({ flags, args: [image = ''] }, { client }) {
    const { body } = await client.request<HistoryItem[]>('GET', `/images/${image}/history`)
    print(await render(historyView(flags.human), body, { format: flags.format, quiet: flags.quiet, truncate: !flags['no-trunc'] }))
    return 0
  },
})
