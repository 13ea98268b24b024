import type { SyscallRecord } from '@engine/linux'
import type { OciProcess, OciSpec } from '../spec.ts'

/** A kernel action on a container's behalf, with when and by which of our processes it was made. */
export interface ActionRecord extends SyscallRecord {
  /** Nanoseconds since the epoch, as a decimal string (above 2^53). */
  readonly at: string
  readonly process: 'engined' | 'shim' | 'init'
}

/** Names one process that the shim is the parent of: a container's main process, or an exec in it. */
export interface ProcessKey {
  /** The container's id, 64 hex digits. */
  readonly container: string
  /** The exec's id, 64 hex digits; absent for the container's own process. */
  readonly exec?: string
}

interface Streams extends ProcessKey {
  /** Where FIFOs are made: `<exec-root>/containers/<id>` or `…/exec/<exec id>`. Exists, 0700. */
  readonly runDirectory: string
  /** Where the spool and the exit status go: `<data-root>/containers/<id>` or `…/exec/<exec id>`. Exists, 0700. */
  readonly directory: string
  /** With a writable standard input; without it stdin is /dev/null. Ignored with a terminal. */
  readonly stdin: boolean
  /** Path of a file with the compiled seccomp program (struct sock_filter[]), or absent for none. */
  readonly seccompFilter?: string
  /** SECCOMP_FILTER_FLAG_… that it is loaded with; 0 when absent. */
  readonly seccompFlags?: number
  /** Without the record of how it came about; see Started. */
  readonly silent?: true
}

/** Another OCI runtime, which makes the container in the shim's stead. */
export interface OciRuntime {
  /** Absolute path of the program. */
  readonly path: string
  /** What goes before its own arguments. */
  readonly args: readonly string[]
  /** Where it keeps its state (`--root`). */
  readonly root: string
}

export interface StartRequest extends Streams {
  readonly spec: OciSpec
  /** Absent for the shim's own way. The runtime takes the seccomp profile from the spec. */
  readonly runtime?: OciRuntime
}

export interface ExecRequest extends Streams {
  /** Host pid of the container's main process. */
  readonly pid: number
  /** Its start time (field 22 of /proc/<pid>/stat, in clock ticks): a reused pid is not joined. */
  readonly startTime: string
  readonly process: OciProcess
  /** As in the container's spec; the new process joins it. */
  readonly cgroupsPath: string
}

/** What the shim answers to start and exec once execve has succeeded. */
export interface Started {
  /** Host pid. */
  readonly pid: number
  readonly startTime: string
  /** Every kernel action that made the process, in order; of a silent start only execve. */
  readonly records: readonly ActionRecord[]
}

/** An exit as recorded in `<directory>/exit.json` before it is announced. */
export interface ExitStatus {
  /** 0 to 255; 128 + signal for a killed process; 255 when lost. */
  readonly code: number
  readonly signal?: number
  /** The kernel killed something in the container's cgroup for want of memory. */
  readonly oomKilled: boolean
  /** RFC 3339 with nanoseconds. */
  readonly finishedAt: string
  /** Nobody saw the process end: `code` is not the truth. */
  readonly lost?: boolean
}

/** Why a process's output is not taken at the moment: its writer blocks when its pipe is full. */
export type BlockReason = 'spool-full' | 'disk-full'

/** Unasked messages from the shim. */
export type ShimEvent =
  /** There is more in the spool. Several outputs may be announced by one event. */
  | ({ readonly event: 'output' } & ProcessKey)
  | ({ readonly event: 'exit'; readonly pid: number; readonly status: ExitStatus } & ProcessKey)
  /** The kernel killed something in the container's cgroup for want of memory; sent before `exit`. */
  | ({ readonly event: 'oom' } & ProcessKey)
  | ({ readonly event: 'blocked'; readonly reason: BlockReason; readonly message: string } & ProcessKey)
  | ({ readonly event: 'resumed' } & ProcessKey)
