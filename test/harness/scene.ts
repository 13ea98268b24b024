import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Client } from '@engine/api/client'
import { importBusybox } from './containers.ts'
import { startDaemon, type TestDaemon } from './daemon.ts'

/** A daemon with an image, and a directory beside it for what a test file works on. */
export class Scene implements AsyncDisposable {
  readonly daemon: TestDaemon
  readonly client: Client
  readonly directory: string

  private constructor(daemon: TestDaemon, client: Client, directory: string) {
    this.daemon = daemon
    this.client = client
    this.directory = directory
  }

  /** @param prefix of the directory's name */
  static async open(prefix: string): Promise<Scene> {
    const daemon = await startDaemon()
    const client = connect(daemon.host)
    await importBusybox(client)
    return new Scene(daemon, client, mkdtempSync(join(tmpdir(), prefix)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
    rmSync(this.directory, { recursive: true, force: true })
  }
}
