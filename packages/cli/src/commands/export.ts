import { text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { writeArchive } from './write-archive.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  examples: [['engine export web | engine import - web:flat', 'an image of one layer']],
  flags: { output: text('Write to a file, instead of STDOUT', { short: 'o' }) },
  args: [1, 1],
  async run({ flags, args: [container = ''] }, { client }) {
    await writeArchive(client, { path: `/containers/${container}/export`, output: flags.output, failure: 'failed to export container' })
    return 0
  },
})
