import { onOff } from '../arguments/flag.ts'
import { CommandError, defineCommand } from './command.ts'
import { forEach } from './messages.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove one or more containers',
  examples: [['engine rm -f $(engine ps -aq)', 'all of them, running or not']],
  flags: {
    force: onOff('Force the removal of a running container (uses SIGKILL)', { short: 'f' }),
    link: onOff('Remove the specified link', { short: 'l' }),
    volumes: onOff('Remove anonymous volumes associated with the container', { short: 'v' }),
  },
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => forEach(args, async (given) => {
    const container = given.replace(/^\/+|\/+$/g, '')
    if (container === '') throw new CommandError('container name cannot be empty')
    const on = (flag: boolean): 1 | undefined => (flag ? 1 : undefined)
    await client.request('DELETE', `/containers/${container}`, { query: { force: on(flags.force), link: on(flags.link), v: on(flags.volumes) } })
  }, { forgiven: ({ status }) => flags.force && status === 404 }),
})
