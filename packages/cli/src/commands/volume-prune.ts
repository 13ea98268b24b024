import type { Client } from '../connection/client.ts'
import { filterFlag, toFilters, type Filters } from '../arguments/filters.ts'
import { onOff } from '../arguments/flag.ts'
import { humanSize } from '../output/human.ts'
import { CommandError, defineCommand } from './command.ts'
import { confirm } from './confirm.ts'
import type { Pruned } from './container-prune.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused local volumes',
  flags: {
    all: onOff('Remove all unused volumes, not just anonymous ones', { short: 'a' }),
    filter: filterFlag('Provide filter values (e.g. "label=<label>")'),
    force: onOff('Do not prompt for confirmation', { short: 'f' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    if (flags.all && flags.filter.some(([key]) => key === 'all')) throw new CommandError('conflicting options: cannot specify both --all and --filter all=1')
    const which = flags.all ? 'all local volumes' : 'anonymous local volumes'
    if (!flags.force && !(await confirm(`WARNING! This will remove ${which} not used by at least one container.\nAre you sure you want to continue?`))) return 0
    const { text, reclaimed } = await pruneVolumes(client, toFilters(flags.all ? [...flags.filter, ['all', 'true'] as const] : flags.filter))
    print(`${text}Total reclaimed space: ${humanSize(reclaimed, 4)}\n`)
    return 0
  },
})

/** Removes volumes that no container has. @throws ApiError */
export async function pruneVolumes(client: Client, filters: Filters | undefined): Promise<Pruned> {
  const { body } = await client.request<{ VolumesDeleted: string[] | null; SpaceReclaimed: number }>('POST', '/volumes/prune', { query: { filters } })
  const deleted = body.VolumesDeleted ?? []
  return { text: deleted.length === 0 ? '' : `Deleted Volumes:\n${deleted.map((name) => `${name}\n`).join('')}\n`, reclaimed: body.SpaceReclaimed }
}
