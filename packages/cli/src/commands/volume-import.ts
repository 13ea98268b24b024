import { createReadStream } from 'node:fs'
import { ApiError } from '@engine/api/client'
import { errorText } from '../arguments/error-text.ts'
import { CommandError, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: 'VOLUME FILE|-',
  summary: 'Extract a tar archive into a volume, which is made if there is none',
  examples: [['engine volume import data data.tar.zst', 'compressed or not']],
  flags: {},
  args: [2, 2],
  async run({ args: [volume = '', source = ''] }, { client }) {
    const stream = source === '-' ? process.stdin : createReadStream(source)
    if (source !== '-') {
      await new Promise<void>((resolve, reject) => stream.once('open', () => resolve()).once('error', reject)).catch((error: unknown) => {
        throw new CommandError(`open ${source}: ${errorText(error)}`)
      })
    }
    const { status } = await client.request('GET', `/volumes/${volume}`).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return error
      throw error
    })
    await client.request('POST', '/volumes/create', { body: { Name: volume, Driver: 'local' } })
    try {
      await client.request('PUT', `/volumes/${volume}/archive`, { body: stream })
    } catch (error) {
      // One that was made for this does not stay half filled.
      if (status === 404) await client.request('DELETE', `/volumes/${volume}`).catch(() => undefined)
      throw error
    }
    return 0
  },
})
