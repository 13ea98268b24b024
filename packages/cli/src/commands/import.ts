import { list, text } from '../arguments/flag.ts'
import { checkImageName } from '../arguments/image-reference.ts'
import { openFile } from '../arguments/open-file.ts'
import { showProgress, type ProgressMessage } from '../output/progress.ts'
import { defineCommand } from './command.ts'
import { standardOutput } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  summary: 'Import the contents from a tarball to create a filesystem image',
  examples: [["debootstrap bookworm root && tar -C root -c . | engine import -c 'CMD [\"bash\"]' - debian:base", 'a base image without a registry']],
  flags: {
    change: list('Apply Dockerfile instruction to the created image', { short: 'c' }),
    message: text('Set commit message for imported image', { short: 'm' }),
    platform: text('Set platform if server is multi-platform capable'),
  },
  args: [1, 2],
  async run({ flags, args: [source = '', reference] }, { client }) {
    // Read as a name with a tag, as the docker command does; the daemon would find fault with the tag alone.
    if (reference !== undefined && reference !== '') checkImageName(reference)
    const isUrl = /^https?:\/\//.test(source)
    const answer = await client.stream('POST', '/images/create', {
      query: { fromSrc: isUrl ? source : '-', repo: reference, message: flags.message, changes: flags.change, platform: flags.platform },
      ...(isUrl ? {} : { body: source === '-' ? process.stdin : await openFile(source), headers: { 'content-type': 'application/x-tar' } }),
    })
    await showProgress(answer.lines<ProgressMessage>(), standardOutput())
    return 0
  },
})
