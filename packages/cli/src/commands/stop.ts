import { text, value } from '../arguments/flag.ts'
import { readInteger } from '../arguments/sizes.ts'
import { defineCommand } from './command.ts'
import { forEach } from './messages.ts'

/** `stop` and `restart` take the same. */
export const stopFlags = {
  signal: text('Signal to send to the container', { short: 's' }),
  timeout: value(readInteger, 'Seconds to wait before killing the container', { short: 't', word: 'int' }),
  time: value(readInteger, 'Seconds to wait before killing the container', { hidden: true, word: 'int' }),
}

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop one or more running containers',
  flags: stopFlags,
  args: [1, Infinity],
  run: ({ flags, args }, { client }) => forEach(args, async (container) => {
    await client.request('POST', `/containers/${container}/stop`, { query: { signal: flags.signal, t: flags.timeout ?? flags.time } })
  }),
})
