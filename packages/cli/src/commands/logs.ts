import { onOff, text } from '../arguments/flag.ts'
import { readMoment } from '../arguments/durations.ts'
import { isFramed } from '@engine/api/client'
import { demultiplex } from '../terminal/session.ts'
import { CommandError, defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  examples: [
    ['engine logs -f --tail 20 web', 'the last lines, and what follows'],
    ['engine logs -t --since 10m web', 'the last ten minutes, with times'],
  ],
  flags: {
    details: onOff('Show extra details provided to logs'),
    follow: onOff('Follow log output', { short: 'f' }),
    since: text('Show logs since timestamp (2013-01-02T13:23:37Z) or relative (42m)'),
    tail: text('Number of lines to show from the end of the logs (default "all")', { short: 'n' }),
    timestamps: onOff('Show timestamps', { short: 't' }),
    until: text('Show logs before a timestamp (2013-01-02T13:23:37Z) or relative (42m)'),
  },
  args: [1, 1],
  async run({ flags, args: [container = ''] }, { client }) {
    const now = Date.now()
    const moment = (name: string, given: string | undefined): string | undefined => {
      if (given === undefined || given === '') return undefined
      try {
        return readMoment(given, now)
      } catch (error) {
        throw new CommandError(`invalid value for "${name}": ${(error as Error).message}`)
      }
    }
    const on = (flag: boolean): 1 | undefined => (flag ? 1 : undefined)
    const answer = await client.stream('GET', `/containers/${container}/logs`, {
      query: {
        details: on(flags.details), follow: on(flags.follow), since: moment('since', flags.since), stderr: 1, stdout: 1,
        tail: flags.tail ?? 'all', timestamps: on(flags.timestamps), until: moment('until', flags.until),
      },
    })
    const write = isFramed(answer.headers['content-type']) ? demultiplex() : print
    for await (const chunk of answer.body) write(chunk)
    return 0
  },
})
