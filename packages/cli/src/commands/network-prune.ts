import type { Client } from '../connection/client.ts'
import { filterFlag, toFilters, type Filters } from '../arguments/filters.ts'
import { onOff } from '../arguments/flag.ts'
import { print } from '../terminal/output.ts'
import { defineCommand } from './command.ts'
import { confirm } from './confirm.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all unused networks',
  flags: {
    filter: filterFlag('Provide filter values (e.g. "until=<timestamp>")'),
    force: onOff('Do not prompt for confirmation', { short: 'f' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    if (!flags.force && !(await confirm('WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?'))) return 0
    print(await pruneNetworks(client, toFilters(flags.filter)))
    return 0
  },
})

/** Removes networks that no container is on. @returns what went, for printing. @throws ApiError */
export async function pruneNetworks(client: Client, filters: Filters | undefined): Promise<string> {
  const { body } = await client.request<{ NetworksDeleted: string[] | null }>('POST', '/networks/prune', { query: { filters } })
  const deleted = body.NetworksDeleted ?? []
  return deleted.length === 0 ? '' : `Deleted Networks:\n${deleted.map((name) => `${name}\n`).join('')}\n`
}
