import { EngineError } from '@engine/linux'
import { cells } from '../containers/resize.ts'
import type { EngineContext } from '../context.ts'
import type { ExecInspect } from '../types/container-views.ts'
import { parseDetachKeys } from '../logs/index.ts'
import { within } from '../within.ts'

/** Everything of an exec, as Docker shows it. */
export function inspectExec(engine: EngineContext, id: string): ExecInspect {
  const exec = engine.execs.find(id)
  const { config } = exec
  const [entrypoint = '', ...args] = config.Cmd
  return {
    ID: exec.id,
    Running: exec.status === 'running',
    ExitCode: exec.exitCode,
    ProcessConfig: { tty: config.Tty, entrypoint, arguments: args, privileged: config.Privileged, ...(config.User ? { user: config.User } : {}) },
    OpenStdin: config.AttachStdin,
    OpenStderr: config.AttachStderr,
    OpenStdout: config.AttachStdout,
    CanRemove: false,
    ContainerID: exec.container,
    // Go writes bytes as base64.
    DetachKeys: config.DetachKeys ? Buffer.from(parseDetachKeys(config.DetachKeys)).toString('base64') : '',
    Pid: exec.pid,
  }
}

/** How long an exec may take to be started by who made it, in milliseconds: a client tells the size while it starts. Docker's time. */
const startPatience = 10_000

/** Tells an exec's terminal its size, once it runs. @throws EngineError not-found when it has ended, internal when it is not started in time */
export async function resizeExec(engine: EngineContext, id: string, rows: number, columns: number): Promise<void> {
  const exec = engine.execs.find(id)
  if (!(await within(exec.started.promise, startPatience))) throw new EngineError('internal', 'timeout waiting for exec session ready')
  if (exec.status !== 'running') throw new EngineError('not-found', `NotFound: process does not exist ${id}: not found`)
  if (exec.config.Tty) await engine.shim.resize({ container: exec.container, exec: id }, ...cells([rows, columns]))
}
