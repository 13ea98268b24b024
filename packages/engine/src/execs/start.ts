import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import { BirthError, availableCapabilities, capabilitySets, openWriteEnd, type ExecRequest, type ExitStatus } from '@engine/runtime'
import { cgroupPath } from '../containers/cgroup-path.ts'
import type { Container } from '../containers/container.ts'
import { cells } from '../containers/resize.ts'
import { noSuchContainer } from '../containers/errors.ts'
import { specAppArmor } from '../containers/spec/apparmor.ts'
import { containerCapabilities } from '../containers/spec/container-spec.ts'
import { presentLinkEnvironment } from '../containers/links.ts'
import { environment } from '../containers/spec/environment.ts'
import { containerRlimits } from '../containers/spec/rlimits.ts'
import { birthRecords } from '../containers/start-error.ts'
import { seccompFilter, seccompProfile } from '../containers/spec/seccomp-filter.ts'
import { parseSecurityOptions } from '../containers/spec/security-options.ts'
import type { EngineContext } from '../context.ts'
import type { Attachment, Execs, OutputChunk } from '../interface.ts'
import { attach, parseDetachKeys, type InputEnd } from '../logs/index.ts'
import { withContainer } from '../ledger/cause.ts'
import { execAction, execUser, refuseUnlessRunning } from './create.ts'
import type { Exec } from './registry.ts'

type StartOptions = Parameters<Execs['start']>[1]

/**
 * Runs a process that was noted before.
 * A client that is attached is told of a program that cannot be executed in the stream, as Docker does: it reads the exit status
 * (127, 126) afterwards.
 * @throws EngineError conflict when it has run already, or the container is not running; invalid-argument, detached, when it cannot be executed
 */
export async function startExec(engine: EngineContext, id: string, options: StartOptions): Promise<Attachment | undefined> {
  try {
    return await beginExec(engine, engine.execs.find(id), options)
  } catch (failed) {
    if (options.detach || !(failed instanceof ExecFailed)) throw failed
    return { tty: options.tty, output: said(failed.message), detach: () => undefined }
  }
}

/** A process that could not be executed: its exit status is recorded, and the message says why. */
export class ExecFailed extends EngineError {
  constructor(message: string, cause: unknown) {
    super('invalid-argument', message, { cause })
    this.name = 'ExecFailed'
  }
}

/** As {@link startExec}, for one that takes every failure as an error. @throws ExecFailed when it cannot be executed */
export async function beginExec(engine: EngineContext, exec: Exec, options: StartOptions): Promise<Attachment | undefined> {
  const { id } = exec
  const container = engine.containers.get(exec.container)
  if (container === undefined) throw noSuchContainer(exec.container)
  refuseUnlessRunning(container, container.id)
  if (exec.status !== 'created') throw new EngineError('conflict', `exec command ${id} ${exec.status === 'running' ? 'is already running' : 'has already run'}`)
  exec.status = 'running'
  engine.events.publish('container', `exec_start: ${execAction(exec.config)}`, container.id, container.attributes({ execID: id }))
  const attachment = options.detach ? undefined : attachExec(engine, container, exec, options)
  try {
    if (exec.transient) await launch(engine, container, exec, options)
    else await withContainer(container.id, () => launch(engine, container, exec, options), id)
    return attachment
  } catch (failed) {
    attachment?.detach()
    const { text, exitCode } = failure(failed)
    if (failed instanceof BirthError && !exec.transient) engine.ledger.add(container.id, birthRecords(failed), id)
    ended(engine, exec, exitCode)
    throw new ExecFailed(text, failed)
  }
}

async function launch(engine: EngineContext, container: Container, exec: Exec, options: StartOptions): Promise<void> {
  const paths = engine.paths.container(container.id).exec(exec.id)
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 })
  const request = await execRequest(engine, container, exec, options, paths)
  engine.pump.open(exec.id, { directory: paths.directory, driver: 'none', options: {} })
  try {
    const started = await engine.shim.exec(request)
    exec.pid = started.pid
    exec.startTime = started.startTime
    exec.started.resolve()
    engine.execs.save(exec)
    if (!exec.transient) engine.ledger.add(container.id, started.records, exec.id)
  } catch (error) {
    discardOutput(engine, exec)
    throw error
  }
}

async function execRequest(
  engine: EngineContext,
  container: Container,
  exec: Exec,
  options: StartOptions,
  paths: { readonly directory: string; readonly run: string },
): Promise<ExecRequest> {
  const { config: asked } = exec
  const { config, hostConfig: host } = container.record
  const security = parseSecurityOptions(host.SecurityOpt ?? [])
  const capabilities = containerCapabilities(container)
  const filter = await seccompFilter(seccompProfile(security, capabilities, host.Privileged), engine.paths.seccomp)
  const { user, home } = execUser(container, asked)
  const [height, width] = cells(options.consoleSize ?? asked.ConsoleSize ?? [0, 0])
  return {
    container: container.id,
    exec: exec.id,
    runDirectory: paths.run,
    directory: paths.directory,
    stdin: asked.AttachStdin,
    ...filter,
    ...(engine.ledger.off ? { silent: true } : {}),
    pid: container.state.pid,
    startTime: container.state.startTime,
    cgroupsPath: cgroupPath(engine.options, container),
    process: {
      terminal: asked.Tty,
      ...(height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
      user,
      args: asked.Cmd,
      env: environment({ given: [...presentLinkEnvironment(engine, container), ...(config.Env ?? []), ...(asked.Env ?? [])], hostname: config.Hostname, tty: asked.Tty, home }),
      cwd: asked.WorkingDir || config.WorkingDir || '/',
      capabilities: capabilitySets(asked.Privileged ? availableCapabilities() : capabilities),
      rlimits: containerRlimits(engine.options, host).rlimits,
      noNewPrivileges: security.noNewPrivileges,
      oomScoreAdj: host.OomScoreAdj,
      ...specAppArmor(security, host),
    },
  }
}

function attachExec(engine: EngineContext, container: Container, exec: Exec, options: StartOptions): Attachment {
  const { config } = exec
  const key = { container: container.id, exec: exec.id }
  const open = async (): Promise<InputEnd> =>
    config.Tty ? { terminal: await engine.shim.terminal(key) } : { fifo: openWriteEnd(join(engine.paths.container(container.id).exec(exec.id).run, 'stdin')) }
  return attach({
    tty: options.tty,
    stdout: config.AttachStdout,
    stderr: config.AttachStderr,
    subscription: engine.pump.subscribe(exec.id),
    ...(config.AttachStdin ? { stdin: { open, close: () => engine.shim.closeStdin(key), once: true } } : {}),
    detachKeys: parseDetachKeys(config.DetachKeys),
    onDetach: () => engine.events.publish('container', 'exec_detach', container.id, container.attributes({ execID: exec.id })),
  })
}

/** An exec's process has ended: its status is there before its streams end, since clients read it then. */
export async function execExited(engine: EngineContext, exec: Exec, status: ExitStatus): Promise<void> {
  if (exec.status === 'exited') return
  ended(engine, exec, status.code)
  const container = engine.containers.get(exec.container)
  await engine.pump.drained(exec.id).catch((error: unknown) => engine.options.log('warn', { exec: exec.id, error: String(error) }, 'the output of an exec could not be read'))
  if (container !== undefined) engine.events.publish('container', 'exec_die', container.id, container.attributes({ execID: exec.id, exitCode: String(status.code) }))
  await engine.shim.release({ container: exec.container, exec: exec.id })
  discardOutput(engine, exec)
}

function ended(engine: EngineContext, exec: Exec, exitCode: number): void {
  exec.status = 'exited'
  exec.exitCode = exitCode
  engine.execs.save(exec)
  exec.started.resolve()
  exec.ended.resolve()
}

/** Takes an exec's directories away when its output has been read. */
function discardOutput(engine: EngineContext, exec: Exec): void {
  const { directory, run } = engine.paths.container(exec.container).exec(exec.id)
  const discard = async (): Promise<void> => {
    await engine.pump.close(exec.id)
    await rm(run, { recursive: true, force: true })
    await rm(directory, { recursive: true, force: true })
  }
  discard().catch((error: unknown) => engine.options.log('warn', { exec: exec.id, error: String(error) }, 'the directory of an exec could not be deleted'))
}

/** What Docker says of an exec that failed, and the exit status that it records. */
function failure(failed: unknown): { readonly text: string; readonly exitCode: number } {
  if (failed instanceof Error && failed.message === 'Cwd must be an absolute path') return { text: `OCI runtime exec failed: exec failed: ${failed.message}`, exitCode: 128 }
  if (!(failed instanceof BirthError)) return { text: failed instanceof Error ? failed.message : String(failed), exitCode: 126 }
  const text = `OCI runtime exec failed: exec failed: unable to start container process: ${failed.message}`
  return { text, exitCode: /executable file not found|no such file or directory/.test(text) ? 127 : 126 }
}

async function* said(text: string): AsyncGenerator<OutputChunk, void, undefined> {
  yield { stream: 'stdout', data: Buffer.from(`${text}\r\n`) }
}
