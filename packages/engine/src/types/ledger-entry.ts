/** One kernel action as `engine explain` shows it. */
export interface LedgerEntry {
  /** Counts up in the order of storing. */
  Sequence: number
  /** Nanoseconds since the epoch, as a decimal string. */
  At: string
  /** The container it was made for, 64 hex digits; '' when for none in particular. */
  ContainerID: string
  /** The exec it was made for. */
  ExecID?: string
  /** Which of our processes made it; `init` is the container's own process before its execve. */
  Process: 'engined' | 'shim' | 'init'
  /** The API request (`POST /containers/create`) or the engine's own reason (`exit`, `restart policy`, `reconcile`). */
  Cause: string
  /** The request's id, the same for all its actions. */
  CauseID: string
  /** The system call, or a subject's own verb such as `netlink RTM_NEWLINK`. */
  Call: string
  Args: Record<string, string | number | boolean>
  /** What the call returned; -1 when it failed. */
  Result: number
  /** errno's name when it failed. */
  Errno?: string
  Nanoseconds: number
}
