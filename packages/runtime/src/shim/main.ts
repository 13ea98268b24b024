import { closeSync, openSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '@engine/linux'
import { closeOnExecFrom } from '@engine/linux/descriptor-flags'
import { tryLock } from '@engine/linux/file-lock'
import { QuietCollector } from '@engine/linux/memory'
import { setDumpable, setThreadName } from '@engine/linux/process-settings'
import { processStat } from '@engine/linux/process-stat'
import { oomKills } from '../cgroup/events.ts'
import { createProcess } from '../process/create.ts'
import { execProcess } from '../process/exec.ts'
import { createByRuntime } from '../oci-runtime/create.ts'
import { shimBuild } from './build.ts'
import { becomeProgram, takeOver, type Handover } from './handover.ts'
import { runFromReadOnlyMount } from './read-only-program.ts'
import { ShimServer } from './server.ts'
import { Shim, type Births } from './shim.ts'

/**
 * The program engine-shim: `node engine-shim.cjs --socket PATH [--node BINARY]`. `--resume FD` is for its own re-execution; `--check` loads
 * everything and exits 0.
 *
 * Signals: SIGTERM ends it only when it has no process left to look after, SIGHUP and SIGINT never. Under systemd its unit needs
 * KillMode=process (containers are in cgroups of their own and are not its business) and SendSIGKILL=no; stopping it is then
 * refused for as long as containers run. At a host's shutdown engined stops them first.
 * Its pid is in `shim.pid` beside `shim.sock`. It stays when engined goes; there is one per socket, which a lock beside the socket ensures (exit status 3).
 */

interface Arguments {
  readonly socket: string
  /** The Node binary as installed; what runs is a read-only mount of it. */
  readonly node: string
  readonly resume?: number
}

function parseArguments(args: readonly string[]): Arguments | 'check' {
  if (args.includes('--check')) return 'check'
  const after = (name: string): string | undefined => {
    const at = args.indexOf(name)
    return at < 0 ? undefined : args[at + 1]
  }
  const socket = after('--socket')
  if (socket === undefined || !socket.startsWith('/')) throw new EngineError('invalid-argument', 'usage: engine-shim --socket /absolute/path')
  const resume = after('--resume')
  const node = after('--node') ?? process.execPath
  return resume === undefined ? { socket, node } : { socket, node, resume: Number(resume) }
}

const log = (message: string): void => {
  process.stderr.write(`engine-shim: ${message}\n`)
}

/** What every process started from here must not inherit, and what others may not do to this one. */
function settle(): void {
  setThreadName('engine-shim')
  // Not to be traced or read through /proc by a container that shares its PID namespace (CVE-2016-9962).
  setDumpable(false)
  process.umask(0o022)
  for (const adjustment of ['-900', '-500', '0']) {
    try {
      writeFileSync('/proc/self/oom_score_adj', adjustment)
      break
    } catch {
      // EACCES: not below what this process was started with, without CAP_SYS_RESOURCE.
    }
  }
  for (const signal of ['SIGHUP', 'SIGINT'] as const) process.on(signal, () => undefined)
}

const births: Births = {
  create: (request, stdio, filter) => (request.runtime === undefined ? createProcess(request.spec, stdio, { filter, silent: request.silent }) : createByRuntime(request, request.runtime, stdio)),
  exec: (request, stdio, filter) => execProcess(request, request.process, stdio, { filter, silent: request.silent }),
}

/** Between requests of engined's the shim is to be small. */
const quiet = new QuietCollector()

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2))
  if (args === 'check') return
  const directory = dirname(args.socket)
  runFromReadOnlyMount(args.node, join(directory, 'engine-shim'))
  const program = process.argv[1] as string
  const build = shimBuild(program, '/proc/self/exe')
  const before = args.resume === undefined ? undefined : takeOver(args.resume)
  closeOnExecFrom(3)
  settle()
  const lock = before?.lock ?? openSync(`${args.socket}.lock`, 'w', 0o600)
  if (before === undefined && !tryLock(lock)) {
    log(`another shim has ${args.socket}`)
    closeSync(lock)
    process.exitCode = 3
    return
  }
  writeFileSync(join(directory, 'shim.pid'), `${process.pid}\n`)
  const generation = (before?.generation ?? -1) + 1
  const shim = new Shim({
    births,
    oomKills,
    log,
    emit: (event) => server.send(event),
    output: (key) => server.output(key),
    attended: () => server.connected,
    keeperFile: join(directory, 'keeper'),
    upgrade: (path) => setImmediate(() => upgrade(path)),
  })
  const upgrade = (path: string): void => {
    const handover: Handover = { generation, lock, state: shim.state() }
    try {
      becomeProgram(path, ['--socket', args.socket, '--node', args.node], handover)
    } catch (error) {
      log(`not upgraded: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const startTime = processStat(process.pid)?.startTime ?? '0'
  const server = new ShimServer({
    hello: { hello: { pid: process.pid, startTime, program, generation, build } },
    serve: (request, peer) => {
      quiet.disturb()
      return shim.serve(request, peer)
    },
    gone: () => shim.unattended(),
    log,
  })
  process.on('SIGTERM', () => {
    if (!shim.idle) {
      log('SIGTERM ignored: there are processes to look after')
      return
    }
    // Not process.exit(): it would wait for the wait that is in flight in another thread.
    server.close()
    shim.close()
  })
  if (before !== undefined) shim.resume(before.state)
  shim.settle()
  try {
    await server.listen(args.socket)
    quiet.disturb()
  } catch (error) {
    shim.close()
    throw error
  }
}

main().catch((error: unknown) => {
  log(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
