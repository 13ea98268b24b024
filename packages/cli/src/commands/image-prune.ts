import type { Client } from '../connection/client.ts'
import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff } from '../arguments/flag.ts'
import { humanSize } from '../output/human.ts'
import { defineCommand } from './command.ts'
import { confirm } from './confirm.ts'
import type { Pruned } from './container-prune.ts'
import type { ImageDelete } from './rmi.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  flags: {
    all: onOff('Remove all unused images, not just dangling ones', { short: 'a' }),
    filter: filterFlag('Provide filter values (e.g. "until=<timestamp>")'),
    force: onOff('Do not prompt for confirmation', { short: 'f' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    const what = flags.all ? 'images without at least one container associated to them' : 'dangling images'
    if (!flags.force && !(await confirm(`WARNING! This will remove all ${what}.\nAre you sure you want to continue?`))) return 0
    const { text, reclaimed } = await pruneImages(client, flags.all, flags.filter)
    print(`${text}Total reclaimed space: ${humanSize(reclaimed, 4)}\n`)
    return 0
  },
})

/** Removes images that nothing uses: those without a name, or `all`. @throws ApiError */
export async function pruneImages(client: Client, all: boolean, filters: readonly (readonly [string, string])[]): Promise<Pruned> {
  const { body } = await client.request<{ ImagesDeleted: ImageDelete[] | null; SpaceReclaimed: number }>('POST', '/images/prune', {
    query: { filters: toFilters([['dangling', String(!all)], ...filters]) },
  })
  const deleted = body.ImagesDeleted ?? []
  const lines = deleted.map(({ Untagged, Deleted }) => (Untagged === undefined || Untagged === '' ? `deleted: ${Deleted ?? ''}\n` : `untagged: ${Untagged}\n`))
  return { text: lines.length === 0 ? '' : `Deleted Images:\n${lines.join('')}\n`, reclaimed: body.SpaceReclaimed }
}
