import { print } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'

const letters = ['C', 'A', 'D'] as const

export const command = defineCommand({
  usage: 'CONTAINER',
  summary: "Inspect changes to files or directories on a container's filesystem",
  examples: [['engine diff web', 'C changed, A added, D deleted']],
  flags: {},
  args: [1, 1],
  async run({ args: [container = ''] }, { client }) {
    if (container === '') throw new CommandError('container name cannot be empty')
    const { body } = await client.request<readonly { readonly Path: string; readonly Kind: 0 | 1 | 2 }[] | null>('GET', `/containers/${container}/changes`)
    print((body ?? []).map(({ Path, Kind }) => `${letters[Kind]} ${Path}\n`).join(''))
    return 0
  },
})
