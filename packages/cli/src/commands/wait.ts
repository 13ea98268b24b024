import { defineCommand } from './command.ts'
import { describeError } from './messages.ts'
import type { WaitAnswer } from './wait-for-exit.ts'
import { print, printError } from '../terminal/output.ts'

export const command = defineCommand({
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  flags: {},
  args: [1, Infinity],
  async run({ args }, { client }) {
    const answers = await Promise.allSettled(args.map((container) => client.request<WaitAnswer>('POST', `/containers/${container}/wait`)))
    for (const answer of answers) {
      if (answer.status === 'fulfilled') print(`${answer.value.body.StatusCode}\n`)
      else printError(`${describeError(answer.reason)}\n`)
    }
    return answers.every((answer) => answer.status === 'fulfilled') ? 0 : 1
  },
})
