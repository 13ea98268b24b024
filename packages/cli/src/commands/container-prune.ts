import type { Client } from '../connection/client.ts'
import { filterFlag, toFilters, type Filters } from '../arguments/filters.ts'
import { onOff } from '../arguments/flag.ts'
import { humanSize } from '../output/human.ts'
import { defineCommand } from './command.ts'
import { confirm } from './confirm.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  flags: {
    filter: filterFlag('Provide filter values (e.g. "until=<timestamp>")'),
    force: onOff('Do not prompt for confirmation', { short: 'f' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    if (!flags.force && !(await confirm('WARNING! This will remove all stopped containers.\nAre you sure you want to continue?'))) return 0
    const { text, reclaimed } = await pruneContainers(client, toFilters(flags.filter))
    print(`${text}Total reclaimed space: ${humanSize(reclaimed, 4)}\n`)
    return 0
  },
})

/** What a prune removed, for printing, and how many bytes it freed. */
export interface Pruned {
  readonly text: string
  readonly reclaimed: number
}

/** Removes stopped containers. @throws ApiError */
export async function pruneContainers(client: Client, filters: Filters | undefined): Promise<Pruned> {
  const { body } = await client.request<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>('POST', '/containers/prune', { query: { filters } })
  const deleted = body.ContainersDeleted ?? []
  return { text: deleted.length === 0 ? '' : `Deleted Containers:\n${deleted.map((id) => `${id}\n`).join('')}\n`, reclaimed: body.SpaceReclaimed }
}
