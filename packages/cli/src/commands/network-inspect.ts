import { onOff, text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { fetchJson, inspectObjects } from './inspect-objects.ts'

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Display detailed information on one or more networks',
  flags: {
    format: text("Format output: 'json' or a Go template", { short: 'f' }),
    verbose: onOff('Verbose output for diagnostics', { short: 'v' }),
  },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => inspectObjects(args, (name) => fetchJson(client, `/networks/${name}`, { verbose: flags.verbose ? 'true' : undefined }), { format: flags.format }),
})
