import { onOff, text } from '../arguments/flag.ts'
import { checkImageName, withTag } from '../arguments/image-reference.ts'
import { CommandError, defineCommand } from './command.ts'
import { pullImage } from './pull-image.ts'
import { standardOutput, print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  flags: {
    'all-tags': onOff('Download all tagged images in the repository', { short: 'a' }),
    'disable-content-trust': onOff('Skip image verification', { initial: true, hidden: true }),
    platform: text('Set platform if server is multi-platform capable'),
    quiet: onOff('Suppress verbose output', { short: 'q' }),
  },
  args: [1, 1],
  async run({ flags, args: [image = ''] }, { client }) {
    const allTags = flags['all-tags']
    checkImageName(image)
    if (allTags && /@|:[^/]*$/.test(image)) throw new CommandError("tag can't be used with --all-tags/-a")
    const name = allTags ? image : withTag(image)
    if (name !== image && !flags.quiet && !image.startsWith('docker.io/')) print('Using default tag: latest\n')
    await pullImage(client, image, { platform: flags.platform, out: flags.quiet ? undefined : standardOutput(), allTags })
    print(`${name.includes('/') && name.split('/')[0]?.includes('.') === true ? name : `docker.io/${name.includes('/') ? '' : 'library/'}${name}`}\n`)
    return 0
  },
})
