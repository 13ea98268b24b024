import { EngineError, Errno, SyscallError } from '@engine/linux'
import { BirthError } from '@engine/runtime'

const creation = 'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: '
const wrongKind = ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'

/** How a start failed: what the client is told, and what State has. */
export interface StartFailure {
  readonly error: EngineError
  /** 127: there is no such program; 126: it cannot be executed; 128: all else. */
  readonly exitCode: number
}

/**
 * What Docker makes of a failed start (moby, translateContainerdStartErr): clients read the exit status out of its words.
 * @param failed what was thrown by a step of the start
 */
export function startFailure(failed: unknown): StartFailure {
  if (failed instanceof BirthError) {
    // runc's order of words; what shows only in the container's init is said to be so.
    const text = `${creation}unable to start container process: error during container init: ${failed.message}`
    return judged(failed.errno === Errno.ENOTDIR && failed.step !== 'execve' ? text + wrongKind : text, failed)
  }
  if (failed instanceof SyscallError) return { error: new EngineError('internal', `${creation}unable to start container process: ${failed.message}`, { cause: failed }), exitCode: 128 }
  if (failed instanceof EngineError) return { error: failed, exitCode: 128 }
  return { error: new EngineError('internal', failed instanceof Error ? failed.message : String(failed), { cause: failed }), exitCode: 128 }
}

function judged(text: string, cause: BirthError): StartFailure {
  const exitCode = exitCodeOf(text)
  return { error: new EngineError(exitCode === 128 ? 'internal' : 'invalid-argument', text, { cause }), exitCode }
}

function exitCodeOf(text: string): number {
  if (text.endsWith(wrongKind) || /executable file not found|no such file or directory/.test(text)) return 127
  if (/permission denied|exec format error/.test(text)) return 126
  return 128
}

/** Puts runc's beginning before the words of what it would have refused itself. */
export function refusedByRuntime<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof EngineError) || error instanceof SyscallError) throw error
    throw new EngineError('internal', creation + error.message, { cause: error, hint: error.hint })
  }
}
