import { ApiError, type Client, type RequestOptions } from '../connection/client.ts'
import { saveToFile } from '../output/save-to-file.ts'
import { isTerminal, print } from '../terminal/output.ts'
import { CommandError } from './command.ts'

/** An archive that a command asks the daemon for. */
export interface ArchiveRequest {
  readonly path: string
  readonly query?: RequestOptions['query']
  /** The file of `-o`; standard output without. */
  readonly output: string | undefined
  /** What failed, where the file is the reason: `failed to save image`. */
  readonly failure: string
}

/**
 * Writes the answer to a request to a file or to standard output, as it comes.
 * @throws CommandError for a terminal, a file that cannot be written, an archive that broke off
 */
export async function writeArchive(client: Client, { path, query, output, failure }: ArchiveRequest): Promise<void> {
  const begin = async (): Promise<AsyncIterable<Buffer>> => (await client.stream('GET', path, query === undefined ? {} : { query })).body
  const toFile = output !== undefined && output !== ''
  if (!toFile && isTerminal(1)) throw new CommandError('cowardly refusing to save to a terminal. Use the -o flag or redirect')
  try {
    if (toFile) await saveToFile(output, begin)
    else for await (const chunk of await begin()) print(chunk)
  } catch (error) {
    if (error instanceof ApiError || error instanceof CommandError) throw error
    throw new CommandError(`${failure}: ${(error as Error).message}`)
  }
}
