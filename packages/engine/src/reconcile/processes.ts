import { setTimeout as sleep } from 'node:timers/promises'
import { processStat } from '@engine/linux/process-stat'
import { isFrozen, readExitFile, type AdoptRequest, type ExitStatus, type ProcessKey, type ShimProcess } from '@engine/runtime'
import { now, rfc3339 } from '../clock.ts'
import { cgroupPath } from '../containers/cgroup-path.ts'
import type { Container } from '../containers/container.ts'
import { containerExited } from '../containers/exit.ts'
import { openLog } from '../containers/open-log.ts'
import { signalProcess } from '../containers/signal-process.ts'
import { hasProcess } from '../containers/state.ts'
import type { EngineContext } from '../context.ts'
import { execExited } from '../execs/start.ts'
import { watchHealth } from '../health/monitor.ts'
import type { Exec } from '../execs/registry.ts'

/** What the shim has of a container (or exec), when it is the process that the database means. */
type Known = ReadonlyMap<string, ShimProcess>

const keyOf = (container: string, exec = ''): string => `${container}/${exec}`

/**
 * Brings containers and execs that the database has as running together with the processes that there are: takes those up again
 * that still run, records the end of those that ended meanwhile, and ends what nobody knows.
 * @param processes what the shim has; nothing that is being started at this moment
 * @param options `openLogs` at the start, when nothing is open yet; not when only the shim was lost
 */
export async function reconcileProcesses(engine: EngineContext, processes: readonly ShimProcess[], options: { readonly openLogs: boolean }): Promise<void> {
  const known: Known = new Map(processes.map((process) => [keyOf(process.container, process.exec), process]))
  const strangers = processes.filter((process) => !isKnown(engine, process))
  const running = engine.containers.all().filter(({ state }) => hasProcess(state))
  await Promise.all([
    ...running.map((container) => logged(engine, container.id, () => takeUp(engine, container, known, options.openLogs))),
    ...running.flatMap((container) => engine.execs.ofContainer(container.id).map((exec) => logged(engine, exec.id, () => takeUpExec(engine, exec, known, options.openLogs)))),
    ...strangers.map((process) => logged(engine, process.container, () => endStranger(engine, process))),
  ])
  await engine.shim.renounce()
}

/** Whether a process of the shim's is one that the database has as running. */
function isKnown(engine: EngineContext, { container, exec, pid }: ShimProcess): boolean {
  return (exec === undefined ? engine.containers.get(container)?.state.pid : engine.execs.get(exec)?.pid) === pid
}

async function logged(engine: EngineContext, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    engine.options.log('error', { id, error: String(error) }, 'a process of before could not be taken up')
  }
}

async function takeUp(engine: EngineContext, container: Container, known: Known, openLogs: boolean): Promise<void> {
  const { id, state } = container
  const paths = engine.paths.container(id)
  const process = match(known.get(keyOf(id)), state)
  if (openLogs) engine.pump.open(id, openLog(container, paths))
  const status = endOf(engine, process, paths.directory, state)
  if (status !== undefined) return containerExited(engine, container, state.pid, status)
  if (process === undefined) {
    const { config } = container.record
    const end = await adopt(engine, {
      container: id, pid: state.pid, startTime: state.startTime, runDirectory: paths.run, directory: paths.directory,
      cgroupsPath: cgroupPath(engine.options, container), stdin: config.OpenStdin && !config.Tty,
    })
    if (end !== undefined) return containerExited(engine, container, state.pid, end)
  }
  const frozen = isFrozen(cgroupPath(engine.options, container))
  if (frozen !== (state.status === 'paused')) {
    state.status = frozen ? 'paused' : 'running'
    engine.containers.saveState(container)
  }
  engine.pump.notify(id)
  if (openLogs && state.status === 'running') watchHealth(engine, container)
}

async function takeUpExec(engine: EngineContext, exec: Exec, known: Known, openLogs: boolean): Promise<void> {
  // Without a pid it is just being started.
  if (exec.status !== 'running' || exec.pid === 0) return
  const container = engine.containers.get(exec.container)
  const paths = engine.paths.container(exec.container).exec(exec.id)
  const process = match(known.get(keyOf(exec.container, exec.id)), exec)
  if (openLogs) engine.pump.open(exec.id, { directory: paths.directory, driver: 'none', options: {} })
  const status = endOf(engine, process, paths.directory, exec)
  if (status !== undefined) return execExited(engine, exec, status)
  if (process === undefined && container !== undefined) {
    const end = await adopt(engine, {
      container: exec.container, exec: exec.id, pid: exec.pid, startTime: exec.startTime, runDirectory: paths.run, directory: paths.directory,
      cgroupsPath: cgroupPath(engine.options, container), stdin: exec.config.AttachStdin && !exec.config.Tty,
    })
    if (end !== undefined) return execExited(engine, exec, end)
  }
  engine.pump.notify(exec.id)
}

interface Named {
  readonly pid: number
  readonly startTime: string
  readonly bootId?: string
}

function match(process: ShimProcess | undefined, wanted: Named): ShimProcess | undefined {
  return process?.pid === wanted.pid && process.startTime === wanted.startTime ? process : undefined
}

/** How a process ended: as the shim says, as its file says, or unknown, as of one from before a reboot; undefined when the shim is to look. */
function endOf(engine: EngineContext, process: ShimProcess | undefined, directory: string, wanted: Named): ExitStatus | undefined {
  if (process !== undefined) return process.status
  const record = readExitFile(directory)
  if (record?.pid === wanted.pid && record.startTime === wanted.startTime) return record.status
  const sameBoot = wanted.bootId === undefined || wanted.bootId === engine.bootId
  return sameBoot && wanted.pid > 0 ? undefined : lost()
}

function lost(): ExitStatus {
  return { code: 255, oomKilled: false, finishedAt: rfc3339(now()), lost: true }
}

/**
 * Has the shim look after a process that it does not know: its predecessor has died, and this engine's too.
 * @returns how it ended, when it has: the shim may have that from its predecessor's keeper
 */
async function adopt(engine: EngineContext, request: AdoptRequest): Promise<ExitStatus | undefined> {
  await engine.shim.adopt(request)
  const stat = processStat(request.pid)
  if (stat?.startTime === request.startTime && stat.state !== 'Z') return undefined
  await untilEnded(engine, request)
  return (await found(engine, request))?.status ?? lost()
}

/** How long a process may take to be gone after its end, its output's bounded drain with it; in milliseconds, and how often it is asked for. */
const endPatience = 10_000
const endInterval = 20

/** A process whose start was never committed: nobody was told of it. */
async function endStranger(engine: EngineContext, stranger: ShimProcess): Promise<void> {
  const { container, exec, pid, startTime } = stranger
  if (stranger.status === undefined) {
    engine.options.log('warn', { container, pid }, 'ending a process whose start was interrupted')
    signalProcess({ pid, startTime }, 'SIGKILL')
    await untilEnded(engine, stranger)
  }
  await engine.shim.release(exec === undefined ? { container } : { container, exec })
}

/** Waits until the shim has said that a process that ends has ended; not for ever. */
async function untilEnded(engine: EngineContext, key: ProcessKey): Promise<void> {
  for (let waited = 0; waited < endPatience; waited += endInterval) {
    const process = await found(engine, key)
    if (process === undefined || process.status !== undefined) return
    await sleep(endInterval)
  }
}

async function found(engine: EngineContext, { container, exec }: ProcessKey): Promise<ShimProcess | undefined> {
  return (await engine.shim.list()).find((process) => process.container === container && process.exec === exec)
}
