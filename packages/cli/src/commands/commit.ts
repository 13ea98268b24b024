import { list, onOff, text } from '../arguments/flag.ts'
import { readReference } from '../arguments/image-reference.ts'
import { defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  examples: [["engine commit -c 'CMD [\"make\"]' job builder:1", 'with another command']],
  flags: {
    author: text('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: 'a' }),
    change: list('Apply Dockerfile instruction to the created image', { short: 'c' }),
    message: text('Commit message', { short: 'm' }),
    pause: onOff('Pause container during commit (default true)', { short: 'p', initial: true }),
  },
  args: [1, 2],
  async run({ flags, args: [container = '', reference] }, { client }) {
    const target = reference === undefined ? undefined : readReference(reference)
    const { body } = await client.request<{ Id: string }>('POST', '/commit', {
      query: {
        container, author: flags.author, comment: flags.message, changes: flags.change, pause: flags.pause ? undefined : 0,
        repo: target?.repository, tag: target === undefined ? undefined : target.tag === '' ? 'latest' : target.tag,
      },
    })
    print(`${body.Id}\n`)
    return 0
  },
})
