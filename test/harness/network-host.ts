import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { CloneFlag } from '@engine/linux/clone-flags'
import { Routing } from '@engine/linux/netlink'
import { primeThreads, unshare } from '@engine/linux/unshare'
import { patience } from './patience.ts'

/** Seconds that are enough to see that no answer comes: all links are local. */
export const short = 0.6

/**
 * Puts this test process into a network namespace of its own, which stands for a host: nothing that the test does there touches
 * the real one, and it ends with the process. Programs that the test spawns are in it too.
 */
export async function enterPrivateHost(): Promise<void> {
  await primeThreads()
  unshare(CloneFlag.NEWNET)
  using routing = new Routing()
  routing.setLink({ index: 1, up: true })
}

/** Runs a shell command on the private host and returns what it printed; throws when it fails. */
export function onHost(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The same inside a sandbox. */
export function inSandbox(path: string, command: string): string {
  return execFileSync('nsenter', [`--net=${path}`, 'sh', '-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Whether a shell command inside a sandbox succeeds. */
export function succeedsIn(path: string, command: string): boolean {
  try {
    inSandbox(path, command)
    return true
  } catch {
    return false
  }
}

/** A TCP server inside a sandbox (undefined: on the host) that tells each client its address as the server sees it. */
export async function serveIn(path: string | undefined, port: number, at = '0.0.0.0'): Promise<Disposable> {
  const code = `require('node:net').createServer((s) => s.on('error', () => {}).end(s.remoteAddress)).listen(${port}, '${at}', () => console.log('up'))`
  const node = [process.execPath, '-e', code]
  const [program = '', ...args] = path === undefined ? node : ['nsenter', `--net=${path}`, ...node]
  const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    server.stdout.once('data', () => resolve())
    server.once('exit', (code_) => reject(new Error(`the server ended with ${code_}`)))
  })
  return { [Symbol.dispose]: () => void server.kill('SIGKILL') }
}

/**
 * What {@link serveIn}'s server at an address says to a client in a sandbox: the client's address; undefined without an answer
 * within `seconds`.
 */
export function askFrom(path: string, address: string, port: number, seconds = 5): string | undefined {
  try {
    return inSandbox(path, `timeout ${seconds} busybox nc ${address} ${port} </dev/null`).trim() || undefined
  } catch {
    return undefined
  }
}

/** Names of the private host's links. */
export function linkNames(): string[] {
  using routing = new Routing()
  return routing.listLinks().map(({ name }) => name)
}

/** Mount points below a directory. */
export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${directory}/`))
}

/** The network namespaces that this process's threads are in; one, unless a thread was made in a window. */
export function namespacesOfThreads(): Set<string> {
  return new Set(readdirSync('/proc/self/task').map((thread) => readlinkSync(`/proc/self/task/${thread}/ns/net`)))
}

/** Waits until a condition holds; what the kernel does in its own time (ending a namespace) has no event. */
export async function until(condition: () => boolean, milliseconds = 5000): Promise<void> {
  const end = Date.now() + milliseconds * patience
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
