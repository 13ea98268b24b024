import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { errorText } from '../arguments/error-text.ts'
import { text } from '../arguments/flag.ts'
import { CommandError, defineCommand } from './command.ts'
import { isTerminal, print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] VOLUME',
  summary: "Export a volume's files as a tar archive, without stopping who uses them",
  examples: [['engine volume export data | zstd > data.tar.zst', 'a backup']],
  flags: { output: text('Write to a file, instead of STDOUT', { short: 'o' }) },
  args: [1, 1],
  async run({ flags, args: [volume = ''] }, { client }) {
    if (flags.output === undefined && isTerminal(1)) throw new CommandError('cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const { body } = await client.stream('GET', `/volumes/${volume}/archive`)
    if (flags.output === undefined) {
      for await (const chunk of body) print(chunk)
      return 0
    }
    const file = createWriteStream(flags.output)
    try {
      for await (const chunk of body) if (!file.write(chunk)) await new Promise<void>((resolve) => file.once('drain', resolve).once('error', () => resolve()))
      await finished(file.end())
    } catch (error) {
      throw new CommandError(`open ${flags.output}: ${errorText(error)}`)
    }
    return 0
  },
})
