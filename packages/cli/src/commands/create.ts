import { createBody } from '../container-options/create-body.ts'
import { containerFlags } from '../container-options/flags.ts'
import { defineCommand } from './command.ts'
import { checkPullPolicy, createContainer } from './create-container.ts'
import { withHelp } from './messages.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  examples: [['engine create --name job debian:base make test', 'to be started later with: engine start -a job']],
  flags: containerFlags,
  args: [1, Infinity],
  flagsFirst: true,
  async run(input, { client, path }) {
    let body
    try {
      checkPullPolicy(input.flags.pull)
      body = createBody(input)
    } catch (error) {
      throw withHelp(error, path)
    }
    print(`${await createContainer(client, body, input.flags)}\n`)
    return 0
  },
})
