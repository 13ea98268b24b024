import { checkImageName, hasDigest, readReference } from '../arguments/image-reference.ts'
import { CommandError, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: {},
  args: [2, 2],
  async run({ args: [source = '', target = ''] }, { client }) {
    if (hasDigest(target)) throw new CommandError('refusing to create a tag with a digest reference')
    parsed(source, checkImageName)
    const { repository, tag } = parsed(target, readReference)
    await client.request('POST', `/images/${source}/tag`, { query: { repo: repository, tag: tag === '' ? 'latest' : tag } })
    return 0
  },
})

function parsed<T>(name: string, read: (name: string) => T): T {
  try {
    return read(name)
  } catch (error) {
    throw new CommandError(`Error parsing reference: ${JSON.stringify(name)} is not a valid repository/tag: ${(error as Error).message}`)
  }
}
