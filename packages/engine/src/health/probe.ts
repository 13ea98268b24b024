import { showDuration } from '@engine/build'
import { now, rfc3339 } from '../clock.ts'
import type { Container } from '../containers/container.ts'
import { signalProcess } from '../containers/signal-process.ts'
import { within } from '../within.ts'
import type { EngineContext } from '../context.ts'
import { createExec } from '../execs/create.ts'
import type { Exec } from '../execs/registry.ts'
import { beginExec, ExecFailed } from '../execs/start.ts'
import type { Attachment, CreateExec } from '../interface.ts'
import type { HealthCheck, HealthResult } from './health.ts'

/** Bytes of a check's output that are kept. */
const outputLimit = 4096

/**
 * Runs a check in its container, as an exec of the container's own user.
 * @param signal aborted when the result is not wanted any more: the container ends, or is paused
 * @returns undefined when it was aborted
 */
export async function probe(engine: EngineContext, container: Container, check: HealthCheck, signal: AbortSignal): Promise<HealthResult | undefined> {
  const start = rfc3339(now())
  const failed = (output: string): HealthResult => ({ start, end: rfc3339(now()), exitCode: -1, output })
  let exec: Exec | undefined
  try {
    const { Id } = await createExec(engine, container.id, request(check), { transient: true })
    exec = engine.execs.find(Id)
    const attachment = await beginExec(engine, exec, { detach: false, tty: false })
    const output = new LimitedOutput()
    const read = output.read(attachment)
    const outcome = await ended(exec, check.timeout, signal)
    if (outcome === 'aborted') {
      attachment?.detach()
      signalProcess(exec, 'SIGKILL')
      return undefined
    }
    if (outcome === 'late') {
      signalProcess(exec, 'SIGKILL')
      await ended(exec, -1, signal)
      attachment?.detach()
      const said = output.text()
      return failed(`Health check exceeded timeout (${showDuration(check.timeout * 1e6)})${said === '' ? '' : `: ${said}`}`)
    }
    await read
    return { start, end: rfc3339(now()), exitCode: exec.exitCode ?? -1, output: output.text() }
  } catch (error) {
    if (signal.aborted) return undefined
    return failed(error instanceof ExecFailed || error instanceof Error ? error.message : String(error))
  } finally {
    if (exec?.status === 'exited') engine.execs.forget(exec)
  }
}

function request({ command }: HealthCheck): CreateExec {
  return { Cmd: command, AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false }
}

/** @param milliseconds patience; negative for any */
async function ended(exec: Exec, milliseconds: number, signal: AbortSignal): Promise<'ended' | 'late' | 'aborted'> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>()
  const abort = (): void => resolve()
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    if (!(await within(Promise.race([exec.ended.promise, aborted]), milliseconds))) return 'late'
    return signal.aborted ? 'aborted' : 'ended'
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The beginning of an output; what follows is read and forgotten, so that the check is not held up. */
class LimitedOutput {
  #bytes = Buffer.alloc(0)
  #cut = false

  async read(attachment: Attachment | undefined): Promise<void> {
    for await (const { data } of attachment?.output ?? []) {
      const kept = data.subarray(0, outputLimit - this.#bytes.length)
      this.#cut ||= kept.length < data.length
      if (kept.length > 0) this.#bytes = Buffer.concat([this.#bytes, kept])
    }
  }

  text(): string {
    return `${this.#bytes.toString()}${this.#cut ? '...' : ''}`
  }
}
