import { readReference } from '../arguments/image-reference.ts'
import { CommandError, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: {},
  args: [2, 2],
  async run({ args: [source = '', target = ''] }, { client }) {
    if (/@[a-z0-9+._-]+:[0-9a-f]{32,}$/.test(target)) throw new CommandError('refusing to create a tag with a digest reference')
    const { repository, tag } = parseTarget(target)
    await client.request('POST', `/images/${source}/tag`, { query: { repo: repository, tag: tag === '' ? 'latest' : tag } })
    return 0
  },
})

function parseTarget(target: string): { repository: string; tag: string } {
  try {
    return readReference(target)
  } catch (error) {
    throw new CommandError(`Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${(error as Error).message}`)
  }
}
