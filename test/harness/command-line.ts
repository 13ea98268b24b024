import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { dist } from './daemon.ts'

export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[], options: { readonly input?: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...options.env }, ...(options.cwd === undefined ? {} : { cwd: options.cwd }) })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    // A program that does not read its input ends before it is written.
    child.stdin.on('error', () => undefined)
    child.on('error', reject)
    child.on('close', (code) => resolve({ status: code ?? -1, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

/** Runs the command `engine` against a daemon. */
export function engine(host: string, ...args: readonly string[]): Promise<Ended> {
  return run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), ...args], { env: { ENGINE_HOST: host } })
}

/** Runs the real docker command against a daemon's socket. */
export function docker(host: string, ...args: readonly string[]): Promise<Ended> {
  return run('docker', ['-H', host, ...args], { env: { DOCKER_BUILDKIT: '0' } })
}

/** Runs `engine` and takes its output. @throws Error with what it printed when it fails */
export async function engineOk(host: string, ...args: readonly string[]): Promise<string> {
  const ended = await engine(host, ...args)
  if (ended.status !== 0) throw new Error(`engine ${args.join(' ')} ended with ${ended.status}\n${ended.stdout}${ended.stderr}`)
  return ended.stdout
}
