import { filterFlag, toFilters } from '../arguments/filters.ts'
import { onOff } from '../arguments/flag.ts'
import { humanSize } from '../output/human.ts'
import { CommandError, defineCommand } from './command.ts'
import { pruneBuildCache } from './builder-prune.ts'
import { confirm } from './confirm.ts'
import { pruneContainers } from './container-prune.ts'
import { pruneImages } from './image-prune.ts'
import { pruneNetworks } from './network-prune.ts'
import { pruneVolumes } from './volume-prune.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove stopped containers, and unused networks, images and build cache; with --volumes anonymous volumes too',
  flags: {
    all: onOff('Remove all unused images not just dangling ones', { short: 'a' }),
    filter: filterFlag('Provide filter values (e.g. "label=<key>=<value>")'),
    force: onOff('Do not prompt for confirmation', { short: 'f' }),
    volumes: onOff('Prune anonymous volumes'),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    if (flags.volumes && flags.filter.some(([key]) => key === 'until')) throw new CommandError('ERROR: The "until" filter is not supported with "--volumes"')
    const images = flags.all ? 'all images without at least one container associated to them' : 'all dangling images'
    const warning = `WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n${flags.volumes ? '  - all anonymous volumes not used by at least one container\n' : ''}  - ${images}\n  - ${flags.all ? 'all' : 'unused'} build cache\n\nAre you sure you want to continue?`
    if (!flags.force && !(await confirm(warning))) return 0
    const containers = await pruneContainers(client, toFilters(flags.filter))
    const networks = await pruneNetworks(client, toFilters(flags.filter))
    const volumes = flags.volumes ? await pruneVolumes(client, toFilters(flags.filter)) : { text: '', reclaimed: 0 }
    const { text, reclaimed } = await pruneImages(client, flags.all, flags.filter)
    const cache = await pruneBuildCache(client, { all: flags.all ? 1 : undefined, filters: toFilters(flags.filter) })
    const total = containers.reclaimed + volumes.reclaimed + reclaimed + cache.reclaimed
    print(`${containers.text}${networks}${volumes.text}${text}${cache.text}Total reclaimed space: ${humanSize(total, 4)}\n`)
    return 0
  },
})
