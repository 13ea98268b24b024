import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { EngineError } from '@engine/linux'

/**
 * What Node is told for a small shim: no threads for V8 (garbage is collected on the main thread), no thread that waits for
 * SIGUSR1, a young generation that stays small.
 */
export const SHIM_NODE_OPTIONS: readonly string[] = ['--v8-pool-size=0', '--disable-sigusr1', '--max-semi-space-size=1']

/** One thread of libuv's for the wait, one for fsync; one arena for malloc. */
export const SHIM_ENVIRONMENT: Readonly<Record<string, string>> = { UV_THREADPOOL_SIZE: '2', MALLOC_ARENA_MAX: '1' }

export interface ShimProgram {
  /** Path of Node. */
  readonly nodeBinary: string
  /** Path of the program engine-shim. */
  readonly program: string
  /** Where it listens: `<execRoot>/shim.sock`. */
  readonly socketPath: string
  /** Gets what the shim says on stderr, appended; by default `<socketPath>.log`. */
  readonly logPath?: string
}

/**
 * Starts a shim in a session of its own, which outlives this process. If one is there already the new one ends by itself.
 * @returns the new process's pid, and when it ends its exit status
 */
export function startShim(options: ShimProgram): { readonly pid: number; readonly ended: Promise<number | null> } {
  const log = openSync(options.logPath ?? `${options.socketPath}.log`, 'a', 0o600)
  try {
    const child = spawn(options.nodeBinary, [...SHIM_NODE_OPTIONS, options.program, '--socket', options.socketPath, '--node', options.nodeBinary], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...SHIM_ENVIRONMENT },
    })
    child.unref()
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', (cause) => reject(new EngineError('internal', `the shim could not be started: ${cause.message}`, { cause })))
      child.once('exit', (code) => resolve(code))
    })
    ended.catch(() => undefined)
    return { pid: child.pid ?? 0, ended }
  } finally {
    closeSync(log)
  }
}

/** Whether the program at `path` can at least be loaded. @throws EngineError with what it says when it cannot */
export async function checkShimProgram(nodeBinary: string, path: string): Promise<void> {
  const child = spawn(nodeBinary, [path, '--check'], { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, 4096)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve(status))
  })
  if (code !== 0) throw new EngineError('invalid-argument', `${path} is no shim that could be upgraded to: ${said.trim()}`)
}
