import type { Client } from '../connection/client.ts'
import { CommandError } from './command.ts'

/** What `POST /containers/{id}/wait` answers. */
export interface WaitAnswer {
  readonly StatusCode: number
  readonly Error?: { readonly Message?: string } | null
}

/** A wait that the daemon has taken note of. */
export interface Waiting {
  /** The exit status, once there is one. Rejects with an ApiError, or a CommandError of status 125. */
  readonly status: Promise<number>
  /** Waits no more. */
  cancel(): void
}

/** Begins to wait for a container's exit; resolves when the daemon has answered that it waits. @throws ApiError */
export async function waitForExit(client: Client, id: string, condition: 'next-exit' | 'removed' | 'not-running'): Promise<Waiting> {
  const { body, lines } = await client.stream('POST', `/containers/${id}/wait`, { query: { condition } })
  const read = async (): Promise<number> => {
    for await (const answer of lines<WaitAnswer>()) {
      if (answer.Error?.Message === undefined) return answer.StatusCode
      throw new CommandError(`Error waiting for container: ${answer.Error.Message}`, 125)
    }
    throw new CommandError('Error waiting for container: unexpected end of the answer', 125)
  }
  const status = read()
  status.catch(() => undefined)
  return { status, cancel: () => body.destroy() }
}
