import { alignColumns } from '../output/table.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  examples: [['engine top web -o pid,rss,args', 'with the options of ps']],
  flags: {},
  args: [1, Infinity],
  flagsFirst: true,
  async run({ args: [container = '', ...options] }, { client }) {
    const { body } = await client.request<{ Titles: string[]; Processes: string[][] | null }>('GET', `/containers/${container}/top`, {
      query: { ps_args: options.length === 0 ? undefined : options.join(' ') },
    })
    print(alignColumns([body.Titles, ...(body.Processes ?? [])], 20))
    return 0
  },
})
