import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: 'VOLUME NEW_NAME',
  summary: 'Rename a volume that no container has',
  flags: {},
  args: [2, 2],
  async run({ args: [volume = '', name = ''] }, { client }) {
    const { body } = await client.request<{ Name: string }>('POST', `/volumes/${volume}/rename`, { query: { name } })
    print(`${body.Name}\n`)
    return 0
  },
})
