import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff, value } from '../arguments/flag.ts'
import { readBytes } from '../arguments/sizes.ts'
import type { Client } from '../connection/client.ts'
import type { QueryValue } from '../connection/wire.ts'
import { humanSize } from '../output/human.ts'
import { print } from '../terminal/output.ts'
import { defineCommand } from './command.ts'
import { confirm } from './confirm.ts'

const warnings = {
  some: 'WARNING! This will remove all dangling build cache. Are you sure you want to continue?',
  all: 'WARNING! This will remove all build cache. Are you sure you want to continue?',
}

export const command = defineCommand({
  usage: '',
  summary: 'Remove build cache',
  flags: {
    all: onOff('Remove all unused build cache, not just dangling ones', { short: 'a' }),
    filter: filterFlag('Provide filter values (e.g. "until=24h")'),
    force: onOff('Do not prompt for confirmation', { short: 'f' }),
    'keep-storage': value(readBytes, 'Amount of disk space to keep for cache', { word: 'bytes' }),
    'reserved-space': value(readBytes, 'Amount of disk space always allowed to keep for cache', { word: 'bytes' }),
    'max-used-space': value(readBytes, 'Maximum amount of disk space allowed to keep for cache', { word: 'bytes' }),
    'min-free-space': value(readBytes, 'Target amount of free disk space after pruning', { word: 'bytes' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    if (!flags.force && !(await confirm(flags.all ? warnings.all : warnings.some))) return 0
    const { text, reclaimed } = await pruneBuildCache(client, {
      all: flags.all ? 1 : undefined,
      filters: toFilters(flags.filter),
      'keep-storage': flags['keep-storage'],
      'reserved-space': flags['reserved-space'],
      'max-used-space': flags['max-used-space'],
      'min-free-space': flags['min-free-space'],
    })
    print(`${text}Total reclaimed space: ${humanSize(reclaimed, 4)}\n`)
    return 0
  },
})

/** @returns what was removed, as docker lists it, and the bytes that are free now */
export async function pruneBuildCache(client: Client, query: Readonly<Record<string, QueryValue>>): Promise<{ readonly text: string; readonly reclaimed: number }> {
  const { body } = await client.request<{ readonly CachesDeleted: readonly string[] | null; readonly SpaceReclaimed: number }>('POST', '/build/prune', { query })
  return { text: body.CachesDeleted === null ? '' : `Deleted build cache objects:\n${body.CachesDeleted.join('\n')}\n\n`, reclaimed: body.SpaceReclaimed }
}
