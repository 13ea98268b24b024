import { onOff, text } from '../arguments/flag.ts'
import { openFile } from '../arguments/open-file.ts'
import { platformQuery } from '../arguments/platform.ts'
import { showProgress, type ProgressMessage } from '../output/progress.ts'
import { isTerminal, standardOutput } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  examples: [['engine load -i app.tar', 'what docker, Podman or skopeo saved, compressed or not']],
  flags: {
    input: text('Read from tar archive file, instead of STDIN', { short: 'i' }),
    platform: text('Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
    quiet: onOff('Suppress the load output', { short: 'q' }),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    const { input = '' } = flags
    if (input === '' && isTerminal(0)) throw new CommandError('requested load from stdin, but stdin is empty')
    const body = input === '' ? process.stdin : await openFile(input)
    const quiet = flags.quiet || !isTerminal(1)
    const answer = await client.stream('POST', '/images/load', { query: { quiet: quiet ? 1 : undefined, platform: platformQuery(flags.platform) }, body })
    await showProgress(answer.lines<ProgressMessage>(), standardOutput())
    return 0
  },
})
