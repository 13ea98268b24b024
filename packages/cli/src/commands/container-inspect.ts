import { onOff, text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { fetchJson, inspectObjects } from './inspect-objects.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  flags: {
    format: text("Format output: 'json' or a Go template", { short: 'f' }),
    size: onOff('Display total file sizes', { short: 's' }),
  },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => inspectObjects(args, (name) => fetchJson(client, `/containers/${name}/json`, { size: flags.size ? 1 : undefined }), { format: flags.format }),
})
