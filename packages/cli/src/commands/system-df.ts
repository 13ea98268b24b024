import { onOff, text } from '../arguments/flag.ts'
import { FormatError, render, type Member, type View } from '../output/format.ts'
import { humanSize } from '../output/human.ts'
import { buildCacheView, byLastUse } from '../output/views/build-cache.ts'
import { containerView } from '../output/views/container.ts'
import { budgetLines, buildCacheSize, diskUsageView, usageByKind, type DiskUsage } from '../output/views/disk-usage.ts'
import { imageView, namesOf, type NamedImage } from '../output/views/image.ts'
import { volumeView } from '../output/views/volume.ts'
import { print } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Show how much space images, containers, volumes and the build cache take',
  examples: [['engine system df -v', 'object by object, with what an image shares with others']],
  flags: {
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    verbose: onOff('Show detailed information on space usage', { short: 'v' }),
  },
  args: [0, 0],
  async run({ flags: { format = '', verbose } }, { client }) {
    const { body } = await client.request<DiskUsage>('GET', '/system/df')
    try {
      if (!verbose) print((await render(diskUsageView, usageByKind(body), { format })) + (format === '' || format === 'table' ? budgetLines(body) : ''))
      else if (format === '' || format === 'table') print(await detailedTables(detailsOf(body)))
      else print(await detailedByTemplate(detailsOf(body), format))
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      // Docker's words here are not those of its listings.
      throw new CommandError(error.message.replace(/^failed to (parse|execute) template: /, verbose ? '' : 'template parsing error: '))
    }
    return 0
  },
})

/** Every object, in the order in which it is shown. */
interface Details {
  readonly images: readonly NamedImage[]
  readonly containers: NonNullable<DiskUsage['Containers']>
  readonly volumes: NonNullable<DiskUsage['Volumes']>
  readonly cache: NonNullable<DiskUsage['BuildCache']>
}

function detailsOf({ Images, Containers, Volumes, BuildCache }: DiskUsage): Details {
  return {
    // An image is one line, under the first of its names: its space is taken once.
    images: (Images ?? []).map((image) => ({ ...namesOf({ ...image, RepoTags: (image.RepoTags ?? []).slice(0, 1), RepoDigests: [] }, false)[0] as NamedImage, image, digest: '' })),
    containers: (Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 })),
    volumes: Volumes ?? [],
    cache: (BuildCache ?? []).toSorted(byLastUse),
  }
}

async function detailedTables({ images, containers, volumes, cache }: Details): Promise<string> {
  return [
    `Images space usage:\n\n${await render({ ...imageView, table: [...imageView.table, 'SharedSize', 'UniqueSize', 'Containers'] }, images, {})}`,
    `Containers space usage:\n\n${await render({ ...containerView, table: ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'RunningFor', 'Status', 'Names'] }, containers, {})}`,
    `Local Volumes space usage:\n\n${await render({ ...volumeView, table: ['Name', 'Links', 'Size'] }, volumes, {})}`,
    `Build cache usage: ${humanSize(buildCacheSize(cache), 4)}\n\n${await render(buildCacheView, cache, {})}`,
  ].join('\n')
}

/** One template for the whole: `{{range .Images}}…`. */
async function detailedByTemplate({ images, containers, volumes, cache }: Details, format: string): Promise<string> {
  const { Row } = await import('../output/go-template/index.ts')
  // With `table` docker cuts ids short, here as elsewhere.
  const rows = <T>(view: View<T>, items: readonly T[]): Member => () => items.map((item) => new Row(view.type, view.members(item, format.startsWith('table'))))
  const whole: View<undefined> = {
    type: '*formatter.diskUsageContext',
    quiet: '',
    table: [],
    headers: {},
    members: () => ({ Images: rows(imageView, images), Containers: rows(containerView, containers), Volumes: rows(volumeView, volumes), BuildCache: rows(buildCacheView, cache) }),
  }
  const text_ = await render(whole, [undefined], { format: format.replace(/^table\s+/, '') })
  return text_.replace(/\n$/, '')
}
