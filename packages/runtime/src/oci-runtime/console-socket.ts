import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { EngineError } from '@engine/linux'
import { receiveDescriptors } from '@engine/linux/pass-descriptors'

/** Where a runtime sends the master of a container's terminal to (runc: docs/terminals.md). */
export class ConsoleSocket implements AsyncDisposable {
  readonly path: string
  readonly #server: Server
  #peer: Socket | undefined

  private constructor(path: string, server: Server) {
    this.path = path
    this.#server = server
    // Nothing is read by Node, which would throw the descriptor away.
    server.once('connection', (peer) => (this.#peer = peer))
  }

  /** @param path at most 107 bytes (unix(7)) */
  static async listen(path: string): Promise<ConsoleSocket> {
    const server = createServer({ pauseOnConnect: true })
    const made = new ConsoleSocket(path, server)
    server.listen(path)
    await once(server, 'listening')
    return made
  }

  /** The master, which the runtime has sent by the end of `create`; close-on-exec. @throws EngineError when it has not */
  take(): number {
    const handle = this.#peer === undefined ? undefined : (this.#peer as Socket & { readonly _handle?: { readonly fd?: number } })._handle
    const master = handle?.fd === undefined ? undefined : receiveDescriptors(handle.fd)?.descriptors[0]
    if (master === undefined) throw new EngineError('internal', 'the runtime has sent no terminal')
    return master
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#peer?.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}
