import { text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { forEach } from './messages.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Kill one or more running containers',
  examples: [['engine kill -s HUP web', 'any signal']],
  flags: { signal: text('Signal to send to the container', { short: 's' }) },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => forEach(args, async (container) => {
    await client.request('POST', `/containers/${container}/kill`, { query: { signal: flags.signal } })
  }),
})
