import { list, onOff } from '../arguments/flag.ts'
import { platformQuery } from '../arguments/platform.ts'
import { ApiError } from '../connection/client.ts'
import { defineCommand } from './command.ts'
import { describeError } from './messages.ts'
import { print, printError } from '../terminal/output.ts'

/** What `DELETE /images/{name}` says was done. */
export interface ImageDelete {
  readonly Untagged?: string
  readonly Deleted?: string
}

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  flags: {
    force: onOff('Force removal of the image', { short: 'f' }),
    'no-prune': onOff('Do not delete untagged parents'),
    platform: list('Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
  },
  args: [1, Infinity],
  async run({ flags, args }, { client }) {
    const platforms = flags.platform.flatMap((platform) => platformQuery(platform, '') ?? [])
    const failures: unknown[] = []
    for (const image of args) {
      try {
        const { body } = await client.request<ImageDelete[]>('DELETE', `/images/${image}`, {
          query: { force: flags.force ? 1 : undefined, noprune: flags['no-prune'] ? 1 : undefined, platforms },
        })
        print(body.map(showDelete).join(''))
      } catch (error) {
        failures.push(error)
      }
    }
    for (const failure of failures) printError(`${describeError(failure)}\n`)
    // With --force an image that is not there is no failure, as with rm -f.
    const counts = failures.filter((failure) => !(flags.force && failure instanceof ApiError && failure.status === 404))
    return counts.length > 0 ? 1 : 0
  },
})

/** `Untagged: …` and `Deleted: …`, a line each. */
export function showDelete({ Untagged, Deleted }: ImageDelete): string {
  return Deleted === undefined || Deleted === '' ? `Untagged: ${Untagged ?? ''}\n` : `Deleted: ${Deleted}\n`
}
