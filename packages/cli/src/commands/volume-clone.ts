import { list } from '../arguments/flag.ts'
import { readLabel, toMap } from '../arguments/key-values.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] VOLUME NEW_VOLUME',
  summary: 'Create a volume with the contents of another, whose users go on',
  examples: [['engine volume clone data data-test', 'files share their blocks where the file system can (btrfs, xfs)']],
  flags: { label: list('Set metadata for the new volume', { read: readLabel }) },
  args: [2, 2],
  async run({ flags, args: [volume = '', name = ''] }, { client }) {
    const { body } = await client.request<{ Name: string }>('POST', `/volumes/${volume}/clone`, { body: { Name: name, Labels: toMap(flags.label) } })
    print(`${body.Name}\n`)
    return 0
  },
})
