import { onOff, text } from '../arguments/flag.ts'
import { hasDigest, readReference } from '../arguments/image-reference.ts'
import { parsePlatform } from '../arguments/platform.ts'
import { showProgress, type ProgressMessage } from '../output/progress.ts'
import { registryHeaders } from '../registries/credentials.ts'
import { print, standardOutput } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'

const platformNote = `
 Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.
         Other components, like attestations, will not be included.
         To push the complete multi-platform image, remove the --platform flag.

`

export const command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  flags: {
    'all-tags': onOff('Push all tags of an image to the repository', { short: 'a' }),
    'disable-content-trust': onOff('Skip image signing', { initial: true, hidden: true }),
    platform: text("Push a platform-specific manifest: 'os[/arch[/variant]]'"),
    quiet: onOff('Suppress verbose output', { short: 'q' }),
  },
  args: [1, 1],
  async run({ flags, args: [image = ''] }, { client }) {
    if (hasDigest(image)) throw new CommandError('cannot push a digest reference')
    const { repository, tag } = readReference(image)
    if (flags['all-tags'] && tag !== '') throw new CommandError("tag can't be used with --all-tags/-a")
    const isDefault = tag === '' && !flags['all-tags']
    if (flags.platform !== undefined && flags.platform !== '') print(platformNote)
    if (isDefault && !flags.quiet) print('Using default tag: latest\n')
    const answer = await client.stream('POST', `/images/${repository}/push`, {
      query: { tag: isDefault ? 'latest' : tag, platform: flags.platform === undefined ? undefined : JSON.stringify(parsePlatform(flags.platform)) },
      headers: await registryHeaders(image),
    })
    await showProgress(answer.lines<ProgressMessage>(), flags.quiet ? { print: () => undefined, terminal: false } : standardOutput())
    if (flags.quiet) print(`${repository}${flags['all-tags'] ? '' : `:${isDefault ? 'latest' : tag}`}\n`)
    return 0
  },
})
