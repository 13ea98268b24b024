import type { Client } from '../connection/client.ts'
import { readReference, withTag } from '../arguments/image-reference.ts'
import { showProgress, type ProgressMessage, type ProgressOutput } from '../output/progress.ts'
import { registryHeaders } from '../registries/credentials.ts'

export interface PullOptions {
  readonly platform: string | undefined
  /** Where progress goes; undefined shows none. */
  readonly out: ProgressOutput | undefined
  readonly allTags?: boolean
}

/**
 * Pulls an image, with the credentials that a login has left.
 * @throws ApiError, ProgressError
 */
export async function pullImage(client: Client, image: string, options: PullOptions): Promise<void> {
  const [name = '', digest] = (options.allTags === true ? image : withTag(image)).split('@')
  const { repository, tag } = readReference(name)
  const answer = await client.stream('POST', '/images/create', {
    query: { fromImage: repository, tag: digest ?? tag, platform: options.platform },
    headers: await registryHeaders(image),
  })
  await showProgress(answer.lines<ProgressMessage>(), options.out ?? { print: () => undefined, terminal: false })
}
