import { onOff } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network',
  flags: { force: onOff('Force the container to disconnect from a network', { short: 'f' }) },
  args: [2, 2],
  async run({ flags, args: [network = '', container = ''] }, { client }) {
    await client.request('POST', `/networks/${network}/disconnect`, { body: { Container: container, Force: flags.force } })
    return 0
  },
})
