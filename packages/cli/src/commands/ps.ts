import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff, text, value } from '../arguments/flag.ts'
import { readInteger } from '../arguments/sizes.ts'
import { render, usesField } from '../output/format.ts'
import { containerView, type ContainerSummary } from '../output/views/container.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List containers',
  examples: [
    ['engine ps -a', 'also those that have ended'],
    ['engine ps -f label=app=web -q', 'ids only, by label'],
    ["engine ps --format '{{.Names}}: {{.Status}}'", 'in a form of your own'],
  ],
  flags: {
    all: onOff('Show all containers (default shows just running)', { short: 'a' }),
    filter: filterFlag('Filter output based on conditions provided', 'f'),
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    last: value(readInteger, 'Show n last created containers (includes all states)', { short: 'n', word: 'int' }),
    latest: onOff('Show the latest created container (includes all states)', { short: 'l' }),
    'no-trunc': onOff("Don't truncate output"),
    quiet: onOff('Only display container IDs', { short: 'q' }),
    size: onOff('Display total file sizes', { short: 's' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    const limit = flags.latest && flags.last === undefined ? 1 : (flags.last ?? -1)
    const size = flags.size || (flags.format !== undefined && (await usesField(containerView, flags.format, 'Size')))
    const { body } = await client.request<ContainerSummary[]>('GET', '/containers/json', {
      query: { all: flags.all ? 1 : undefined, limit: limit > 0 ? limit : undefined, size: size ? 1 : undefined, filters: toFilters(flags.filter) },
    })
    print(await render(containerView, body, {
      format: flags.format, quiet: flags.quiet, truncate: !flags['no-trunc'], extra: flags.size ? ['Size'] : [],
    }))
    return 0
  },
})
