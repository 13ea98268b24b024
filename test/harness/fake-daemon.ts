import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { api } from './daemon.ts'

const program = join(import.meta.dirname, '../../packages/daemon/src/testing/fake-daemon.ts')

/** engined with an engine that does nothing: sockets, signals and configuration are the real ones. */
export interface FakeDaemon {
  readonly child: ChildProcess
  /** What its engine was asked, in order. */
  readonly said: { readonly verb: string; readonly value: Record<string, unknown> }[]
  stderr(): string
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

/** A directory for daemons of one test, and the daemons that were started in it; both are gone at the end. */
export class FakeDaemons implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'engine-test-fake-'))
  readonly #daemons: FakeDaemon[] = []
  readonly #names = new Set<string>()
  /** In every name that is the whole host's. */
  readonly #tag = `f${this.directory.slice(-6)}`

  /** Configuration of a daemon whose directories and socket have `name` in them. */
  settings(name: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return {
      hosts: [`unix://${this.socket(name)}`],
      'data-root': join(this.directory, `${name}-data`),
      'exec-root': join(this.directory, `${name}-run`),
      pidfile: join(this.directory, `${name}.pid`),
      bridge: `${this.#tag}${name}`.slice(0, 15),
      'nftables-table': `${this.#tag}${name.replaceAll(/\W/g, '_')}`,
      'cgroup-parent': `/${this.#tag}${name}`,
      ...more,
    }
  }

  socket(name: string): string {
    return join(this.directory, `${name}.sock`)
  }

  /** Starts a daemon; does not wait for it. @param around puts a program before it: `['sh', '-c', 'exec "$@"', 'sh']` */
  start(settings: Readonly<Record<string, unknown>>, options: { readonly environment?: Readonly<Record<string, string>>; readonly around?: readonly string[]; readonly descriptors?: readonly number[]; readonly flags?: readonly string[] } = {}): FakeDaemon {
    const file = join(this.directory, `config-${this.#daemons.length}.json`)
    writeFileSync(file, JSON.stringify(settings))
    const { bridge, 'nftables-table': table, 'cgroup-parent': parent } = settings
    for (const name of [`bridge-${String(bridge)}`, `table-${String(table)}`, `cgroup${String(parent).replaceAll('/', '-')}`]) this.#names.add(name)
    const [command = '', ...args] = [...(options.around ?? []), process.execPath, '--no-warnings', program, '--config', file, ...(options.flags ?? [])]
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.descriptors ?? [])],
      env: { ...process.env, ...options.environment },
    })
    const said: FakeDaemon['said'] = []
    let out = ''
    let err = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      const lines = out.split('\n')
      out = lines.pop() ?? ''
      said.push(...lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as FakeDaemon['said'][number]))
    })
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const ended = new Promise<number | NodeJS.Signals>((resolve) => child.once('close', (code, signal) => resolve(signal ?? code ?? -1)))
    const daemon = { child, said, stderr: () => err, ended }
    this.#daemons.push(daemon)
    return daemon
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#daemons) child.kill('SIGKILL')
    await Promise.all(this.#daemons.map(({ ended }) => ended))
    // Claims of those that were killed.
    for (const name of this.#names) rmSync(join('/run/engined', name), { force: true })
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Waits until a daemon answers on a socket. */
export async function answering(socket: string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    try {
      if ((await api(socket, 'GET', '/_ping')).text === 'OK') return
    } catch {
      // Not yet.
    }
    await sleep(25)
  }
  throw new Error(`nobody answers on ${socket}`)
}
