import { defineCommand } from './command.ts'
import { forEach } from './messages.ts'
import { stopFlags } from './stop.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Restart one or more containers',
  flags: stopFlags,
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => forEach(args, async (container) => {
    await client.request('POST', `/containers/${container}/restart`, { query: { signal: flags.signal, t: flags.timeout ?? flags.time } })
  }),
})
