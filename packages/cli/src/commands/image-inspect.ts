import { text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { fetchJson, inspectObjects } from './inspect-objects.ts'

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: {
    format: text("Format output: 'json' or a Go template", { short: 'f' }),
  },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => inspectObjects(args, (name) => fetchJson(client, `/images/${name}/json`), { format: flags.format }),
})
