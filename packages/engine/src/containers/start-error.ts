import { EngineError, Errno, SyscallError, errnoName, errnoText } from '@engine/linux'
import { BirthError, runtimeStep, type ActionRecord } from '@engine/runtime'

const creation = 'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: '
/** What runc says of a failure that shows only in the container's own process. */
export const inInit = 'unable to start container process: error during container init: '
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
    if (failed.step === runtimeStep) return judged(`failed to create task for container: failed to create shim task: OCI runtime create failed: ${failed.message}${failed.message.endsWith('not a directory') ? wrongKind : ''}`, failed)
    // runc's order of words; what shows only in the container's init is said to be so.
    return judged(`${creation}${inInit}${birthText(failed)}`, failed)
  }
  if (failed instanceof SyscallError && cgroupRefusal(failed) !== undefined) {
    return { error: new EngineError(refusalCode(failed), `${creation}unable to start container process: unable to apply cgroup configuration: ${cgroupRefusal(failed)}`, { cause: failed }), exitCode: 128 }
  }
  if (failed instanceof SyscallError) return { error: new EngineError('internal', `${creation}unable to start container process: ${failed.message}`, { cause: failed }), exitCode: 128 }
  if (failed instanceof EngineError) return { error: failed, exitCode: 128 }
  return { error: new EngineError('internal', failed instanceof Error ? failed.message : String(failed), { cause: failed }), exitCode: 128 }
}

/** A failed birth's kernel actions, the one that failed last: attempts along PATH that found nothing are not among its records. */
export function birthRecords({ records, step, errno, message }: BirthError): readonly ActionRecord[] {
  const last = records.at(-1)
  if (last === undefined || last.errno !== undefined || errno === 0) return records
  return [...records, { call: step, args: { failure: message }, result: -1, errno: errnoName(errno), nanoseconds: 0, at: last.at, process: last.process }]
}

/** The kernel calls a file that is moved onto a directory, or the reverse, an invalid argument. */
function birthText({ errno, step, message }: BirthError): string {
  const mismatch = message.startsWith('error mounting ') && (errno === Errno.ENOTDIR || (errno === Errno.EINVAL && step === 'move_mount'))
  return mismatch ? message.replace(/: invalid argument$/, ': not a directory') + wrongKind : message
}

function judged(text: string, cause: BirthError): StartFailure {
  const exitCode = exitCodeOf(text)
  return { error: new EngineError(exitCode === 128 ? 'internal' : 'invalid-argument', text, { cause }), exitCode }
}

function exitCodeOf(text: string): number {
  if (text.endsWith(wrongKind) || /executable file (\S+ )?not found|no such file or directory/i.test(text)) return 127
  if (/permission denied|exec format error/i.test(text)) return 126
  return 128
}

/** What runc says of a value that a cgroup does not take; undefined for other failures. */
export function cgroupRefusal({ syscall: call, args, errno }: SyscallError): string | undefined {
  const { path, value } = args
  if (call !== 'write' || typeof path !== 'string' || typeof value !== 'string') return undefined
  return `failed to write ${JSON.stringify(value)}: write ${path}: ${errnoText(errno)}`
}

/** Whose fault a cgroup's refusal is: a value that the kernel finds impossible is the caller's, though Docker answers 500 there too. */
export function refusalCode({ errno }: SyscallError): 'invalid-argument' | 'internal' {
  return errno === Errno.EINVAL || errno === Errno.ERANGE ? 'invalid-argument' : 'internal'
}

/** A refusal of runc's as Docker passes it on. */
export function refusal(text: string): string {
  return creation + text
}

/** Puts runc's beginning before the words of what it would have refused itself. */
export function refusedByRuntime<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof EngineError) || error instanceof SyscallError) throw error
    throw new EngineError('internal', refusal(error.message), { cause: error, hint: error.hint })
  }
}
