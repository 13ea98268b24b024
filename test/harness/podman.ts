import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** A Podman with a store of its own. */
export class Podman implements AsyncDisposable {
  readonly #directory: string

  /** @param directory an empty one; it is the caller's to remove, after this has been disposed */
  constructor(directory: string) {
    this.#directory = directory
  }

  static get isInstalled(): boolean {
    return existsSync('/usr/bin/podman')
  }

  /** @returns what it prints @throws Error when it fails */
  async run(...args: readonly string[]): Promise<string> {
    const directory = this.#directory
    const store = ['--root', join(directory, 'storage'), '--runroot', join(directory, 'run'), '--storage-driver', 'overlay']
    const { stdout } = await execute('/usr/bin/podman', [...store, '--tmpdir', join(directory, 'tmp'), '--events-backend', 'none', ...args], { env: { PATH: process.env['PATH'], TMPDIR: directory } })
    return stdout
  }

  /** Takes everything of the store away, mounts too. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('system', 'reset', '--force')
  }
}
