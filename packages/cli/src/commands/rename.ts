import { CommandError, defineCommand } from './command.ts'
import { describeError } from './messages.ts'

export const command = defineCommand({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  flags: {},
  args: [2, 2],
  async run({ args: [container = '', name = ''] }, { client }) {
    if (container.trim() === '' || name.trim() === '') throw new CommandError('Error: Neither old nor new names may be empty')
    try {
      await client.request('POST', `/containers/${container}/rename`, { query: { name } })
    } catch (error) {
      throw new CommandError(`${describeError(error)}\nError: failed to rename container named ${container}`)
    }
    return 0
  },
})
