import { text } from '../arguments/flag.ts'
import { platformQuery } from '../arguments/platform.ts'
import { defineCommand } from './command.ts'
import { fetchJson, inspectObjects } from './inspect-objects.ts'

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: {
    format: text("Format output: 'json' or a Go template", { short: 'f' }),
    platform: text('Inspect a specific platform of the multi-platform image. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
  },
  args: [1, Infinity],
  async run({ flags, args }, { client }) {
    const platform = platformQuery(flags.platform, '')
    return await inspectObjects(args, (name) => fetchJson(client, `/images/${name}/json`, { platform }), { format: flags.format })
  },
})
