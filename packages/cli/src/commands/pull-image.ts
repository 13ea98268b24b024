import type { Client } from '../connection/client.ts'
import { readReference, withTag } from '../arguments/image-reference.ts'
import { showProgress, type ProgressMessage, type ProgressOutput } from '../output/progress.ts'

/**
 * Pulls an image.
 * @param options.out where progress goes; undefined shows none
 * @throws ApiError, ProgressError
 */
export async function pullImage(client: Client, image: string, options: { readonly platform: string | undefined; readonly out: ProgressOutput | undefined }): Promise<void> {
  const [name = '', digest] = withTag(image).split('@')
  const { repository, tag } = readReference(name)
  const answer = await client.stream('POST', '/images/create', {
    query: { fromImage: repository, tag: digest ?? tag, platform: options.platform },
    headers: { 'x-registry-auth': 'e30=' },
  })
  await showProgress(answer.lines<ProgressMessage>(), options.out ?? { print: () => undefined, terminal: false })
}
