import { setTimeout as sleep } from 'node:timers/promises'
import { processStat } from '@engine/linux/process-stat'
import { isFrozen, readExitFile, type ExitStatus, type ShimProcess } from '@engine/runtime'
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
    await engine.shim.adopt({
      container: id, pid: state.pid, startTime: state.startTime, runDirectory: paths.run, directory: paths.directory,
      cgroupsPath: cgroupPath(engine.options, container), stdin: config.OpenStdin && !config.Tty,
    })
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
    await engine.shim.adopt({
      container: exec.container, exec: exec.id, pid: exec.pid, startTime: exec.startTime, runDirectory: paths.run, directory: paths.directory,
      cgroupsPath: cgroupPath(engine.options, container), stdin: exec.config.AttachStdin && !exec.config.Tty,
    })
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

/** How a process ended: as the shim says, as its file says, or unknown; undefined while it lives. */
function endOf(engine: EngineContext, process: ShimProcess | undefined, directory: string, wanted: Named): ExitStatus | undefined {
  if (process !== undefined) return process.status
  const record = readExitFile(directory)
  if (record?.pid === wanted.pid && record.startTime === wanted.startTime) return record.status
  const stat = processStat(wanted.pid)
  const sameBoot = wanted.bootId === undefined || wanted.bootId === engine.bootId
  if (sameBoot && stat?.startTime === wanted.startTime && stat.state !== 'Z') return undefined
  return { code: 255, oomKilled: false, finishedAt: rfc3339(now()), lost: true }
}

/** How long a process may take to be gone after its SIGKILL, its output's bounded drain with it; in milliseconds, and how often it is asked for. */
const endPatience = 10_000
const endInterval = 20

/** A process whose start was never committed: nobody was told of it. */
async function endStranger(engine: EngineContext, stranger: ShimProcess): Promise<void> {
  const { container, exec, pid, startTime } = stranger
  if (stranger.status === undefined) {
    engine.options.log('warn', { container, pid }, 'ending a process whose start was interrupted')
    signalProcess({ pid, startTime }, 'SIGKILL')
    for (let waited = 0; waited < endPatience && (await isLive(engine, stranger)); waited += endInterval) await sleep(endInterval)
  }
  await engine.shim.release(exec === undefined ? { container } : { container, exec })
}

/** Whether the shim has not yet said that a process has ended. */
async function isLive(engine: EngineContext, { container, exec }: ShimProcess): Promise<boolean> {
  const found = (await engine.shim.list()).find((process) => process.container === container && process.exec === exec)
  return found !== undefined && found.status === undefined
}
