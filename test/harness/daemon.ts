import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchAnswers } from './answers/watch.ts'
import { deadDirectories, makeOwnedDirectory } from './owned-directory.ts'
import { patience } from './patience.ts'
import { testRuntime } from './runtime.ts'

const prefix = 'engine-test-'
export const dist = process.env['ENGINE_DIST'] ?? join(import.meta.dirname, '../../dist')
const node = join(dist, 'bin/node')
/** Those that an installed daemon runs with. */
const flags = (process.env['ENGINE_DAEMON_FLAGS'] ?? '--no-warnings').split(' ')

/** A daemon of a test's own, with everything on the host that is its own by configuration. */
export interface TestDaemon extends AsyncDisposable {
  /** `unix:///…` */
  readonly host: string
  readonly socket: string
  /** Where everything of it lies: `engine.json`, `data/`, `run/`, `log`. */
  readonly directory: string
  readonly dataRoot: string
  readonly execRoot: string
  readonly bridge: string
  readonly table: string
  readonly cgroupParent: string
  /** engined's pid at this moment. */
  pid(): number
  /** engine-shim's pid at this moment. */
  shimPid(): number
  /** One API request; JSON in, JSON (or text) out. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown; text: string }>
  /** Ends engined, by SIGTERM unless told otherwise; containers and shim stay. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts engined again on the same data. */
  start(environment?: Readonly<Record<string, string>>): Promise<void>
  /** What engined has written to its log. */
  log(): string
}

/**
 * Starts a daemon. Leftovers of test runs that died are cleared first.
 * @param settings more keys of engine.json
 * @param under    a program with arguments that executes what follows them, as `unshare` and `taskset` do
 */
export async function startDaemon(settings: Readonly<Record<string, unknown>> = {}, under: readonly string[] = []): Promise<TestDaemon> {
  if (!existsSync(join(dist, 'engined.cjs'))) throw new Error('dist/ is not built: npm run build')
  clearDeadRuns()
  const directory = makeOwnedDirectory(prefix)
  const tag = directory.slice(-6).toLowerCase()
  const number = Number.parseInt(Buffer.from(tag).toString('hex').slice(-6), 16)
  const names = {
    socket: join(directory, 'engine.sock'),
    dataRoot: join(directory, 'data'),
    execRoot: join(directory, 'run'),
    bridge: `et${tag}`,
    table: `engine_${tag}`,
    cgroupParent: `/engine-test-${tag}`,
  }
  const config = join(directory, 'engine.json')
  writeFileSync(config, JSON.stringify({
    hosts: [`unix://${names.socket}`],
    'data-root': names.dataRoot,
    'exec-root': names.execRoot,
    pidfile: join(directory, 'engined.pid'),
    bridge: names.bridge,
    // Two daemons that start at once would both find the same pool free.
    bip: `10.${180 + (number % 60)}.${(number >> 6) % 250}.1/24`,
    'nftables-table': names.table,
    'cgroup-parent': names.cgroupParent,
    'log-level': 'debug',
    'default-runtime': testRuntime,
    ...settings,
  }))
  const answers = watchAnswers(directory)
  let child: ChildProcess | undefined
  const log = (): string => (existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8') : '')

  const start = async (environment: Readonly<Record<string, string>> = {}): Promise<void> => {
    const out = openSync(join(directory, 'log'), 'a')
    const [program = '', ...rest] = [...under, node, ...flags, ...answers.options, join(dist, 'engined.cjs'), '--config', config]
    child = spawn(program, rest, { stdio: ['ignore', out, out], env: { ...process.env, ...answers.environment, ...environment } })
    closeSync(out)
    const started = child
    for (let i = 0; i < 300 * patience; i++) {
      if (await isAnswering(names.socket)) return
      if (started.exitCode !== null || started.signalCode !== null) throw new Error(`engined ended with ${started.exitCode ?? started.signalCode}:\n${log()}`)
      await sleep(50)
    }
    throw new Error(`engined does not answer:\n${log()}`)
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  const daemon: TestDaemon = {
    ...names,
    directory,
    host: `unix://${names.socket}`,
    pid: () => child?.pid ?? -1,
    shimPid: () => Number(readFileSync(join(names.execRoot, 'shim.pid'), 'utf8')),
    api: (method, path, body) => api(names.socket, method, path, body),
    start,
    stop,
    log,
    [Symbol.asyncDispose]: async () => {
      await stop()
      answers.release()
      clear(directory)
    },
  }
  try {
    await start()
  } catch (error) {
    try {
      clear(directory)
    } catch (cause) {
      throw new AggregateError([error, cause], `no daemon: ${error instanceof Error ? error.message : String(error)}`, { cause })
    }
    throw error
  }
  return daemon
}

/** Takes everything of a daemon's away: what runs, what is mounted, links, rules, cgroups, files; these last, since they say what the rest is called. */
function clear(directory: string): void {
  endDaemon(directory)
  execFileSync(node, ['--no-warnings', join(dist, 'engined.cjs'), '--config', join(directory, 'engine.json'), '--teardown'], { stdio: 'pipe', timeout: 60_000 * patience })
  rmSync(directory, { recursive: true, force: true })
}

/** Kills an engined whose test run died before it. */
function endDaemon(directory: string): void {
  const file = join(directory, 'engined.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  const runs = (): boolean => {
    try {
      // Its own name for itself is short; what it holds open is not to be mistaken.
      return pid > 1 && readFileSync(`/proc/${pid}/environ`, 'utf8') !== '' && readlinkSync(`/proc/${pid}/fd/1`) === join(directory, 'log')
    } catch {
      return false
    }
  }
  for (let i = 0; runs() && i < 200; i++) {
    if (i === 0) process.kill(pid, 'SIGKILL')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
  }
}

/** Clears what test runs have left that ended without clearing. */
function clearDeadRuns(): void {
  for (const directory of deadDirectories(prefix)) {
    if (!existsSync(join(directory, 'engine.json'))) continue
    try {
      clear(directory)
    } catch {
      // Another test file is at clearing the same; what it leaves the next run finds.
    }
  }
}

async function isAnswering(socket: string): Promise<boolean> {
  try {
    return (await api(socket, 'GET', '/_ping')).status === 200
  } catch {
    return false
  }
}

/** One request on a connection of its own. */
export function api(socketPath: string, method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown; text: string }> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body)
    const sent = httpRequest({ socketPath, method, path, agent: false, headers: content === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        let parsed: unknown = text
        if ((response.headers['content-type'] ?? '').startsWith('application/json') && text !== '') {
          try {
            parsed = JSON.parse(text)
          } catch {
            // A stream of JSON lines; whoever asked for it has the text.
          }
        }
        resolve({ status: response.statusCode ?? 0, body: parsed, text })
      })
    })
    sent.on('error', reject)
    sent.end(content)
  })
}

/** Directory for what tests share and is costly to make (base images); kept between runs, safe to delete. */
export function cacheDirectory(): string {
  const directory = join(tmpdir(), 'engine-tests-cache')
  mkdirSync(directory, { recursive: true })
  return directory
}
