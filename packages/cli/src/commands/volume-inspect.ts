import { text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { fetchJson, inspectObjects } from './inspect-objects.ts'

export const command = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Display detailed information on one or more volumes',
  flags: {
    format: text("Format output: 'json' or a Go template", { short: 'f' }),
  },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => inspectObjects(args, (name) => fetchJson(client, `/volumes/${name}`), { format: flags.format }),
})
