import { EngineError } from '@engine/linux'
import type { EngineContext } from '../context.ts'
import type { ExecInspect } from '../types/container-views.ts'
import { parseDetachKeys } from '../logs/index.ts'

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

/** Tells an exec's terminal its size. @throws EngineError not-found when it is not running */
export async function resizeExec(engine: EngineContext, id: string, rows: number, columns: number): Promise<void> {
  const exec = engine.execs.find(id)
  if (exec.status !== 'running') throw new EngineError('not-found', `NotFound: process does not exist ${id}: not found`)
  if (exec.config.Tty) await engine.shim.resize({ container: exec.container, exec: id }, rows, columns)
}
