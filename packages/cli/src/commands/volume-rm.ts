import { onOff } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { forEachInTurn } from './messages.ts'

export const command = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove one or more volumes',
  flags: { force: onOff('Force the removal of one or more volumes', { short: 'f' }) },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => forEachInTurn(args, async (volume) => {
    await client.request('DELETE', `/volumes/${volume}`, { query: { force: flags.force ? 1 : undefined } })
  }),
})
