import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: 'VOLUME [NAME]',
  summary: 'Keep a volume as it is now under a name of its own',
  examples: [['engine volume snapshot data', 'as data-20261128T221500Z, with the label engine.volume.snapshot=data']],
  flags: {},
  args: [1, 2],
  async run({ args: [volume = '', name] }, { client }) {
    const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
    const { body } = await client.request<{ Name: string }>('POST', `/volumes/${volume}/clone`, { body: { Name: name ?? `${volume}-${stamp}`, Labels: { 'engine.volume.snapshot': volume } } })
    print(`${body.Name}\n`)
    return 0
  },
})
