import { ApiError } from '../connection/client.ts'
import { onOff } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { forEach } from './messages.ts'

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Remove one or more networks',
  flags: { force: onOff('Do not error if the network does not exist', { short: 'f' }) },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => forEach(args, async (network) => {
    try {
      await client.request('DELETE', `/networks/${network}`)
    } catch (error) {
      if (!(flags.force && error instanceof ApiError && error.status === 404)) throw error
    }
  }),
})
