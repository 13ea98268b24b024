import { text } from '../arguments/flag.ts'
import { platformQuery } from '../arguments/platform.ts'
import { defineCommand } from './command.ts'
import { writeArchive } from './write-archive.ts'

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  examples: [
    ['engine save -o app.tar app:1 db:2', 'two images in one archive'],
    ['engine save app | ssh host engine load', 'an image to another machine, without a registry'],
  ],
  flags: {
    output: text('Write to a file, instead of STDOUT', { short: 'o' }),
    platform: text('Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
  },
  args: [1, Infinity],
  async run({ flags, args: names }, { client }) {
    const platform = platformQuery(flags.platform)
    await writeArchive(client, { path: '/images/get', query: { names, platform }, output: flags.output, failure: 'failed to save image' })
    return 0
  },
})
