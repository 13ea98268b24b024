import { defineCommand } from './command.ts'
import { forEach } from './messages.ts'

export const command = defineCommand({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Pause all processes within one or more containers',
  flags: {},
  args: [1, Infinity],
  run: ({ args }, { client }) => forEach(args, async (container) => {
    await client.request('POST', `/containers/${container}/pause`)
  }),
})
