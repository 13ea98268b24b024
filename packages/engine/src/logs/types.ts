import type { OutputChunk } from '../interface.ts'
import type { Forward } from './drivers/forward.ts'

/** `none` keeps nothing; of those that send lines away a file is kept too, so that they can be read back. */
export type LogDriver = 'json-file' | 'local' | 'journald' | 'syslog' | 'none'

/** Whose output it is: a container's id, or an exec's. */
export type LogKey = string

/** What the pump needs to know of a process whose output it takes. */
export interface OpenLog {
  /** As given to the shim: the spool is in `<directory>/spool`. */
  readonly directory: string
  /** Execs have `none`. */
  readonly driver: LogDriver
  /** The file that is kept; absent when none is. */
  readonly logPath?: string
  /** Where lines are sent. */
  readonly forward?: Forward
  /** `--log-opt`, checked by checkLogOptions before. */
  readonly options: Readonly<Record<string, string>>
  /** json-file's `attrs`: labels and variables that options `labels`, `env`, … chose; absent for none. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** One taker of a process's output. Iterate it at once or later: nothing is lost meanwhile. */
export interface Subscription extends AsyncIterable<OutputChunk> {
  /** Takes no more; the iteration ends. */
  end(): void
}

/**
 * Takes output from spools, in a worker thread: writes logs, feeds subscribers, deletes what everybody has consumed.
 *
 * The life of a container's output: `subscribe` (docker run attaches before it starts), `open` just before the shim's start,
 * `notify` at each of the shim's output events, `drained` once its exit is known, then `close`. After engined's restart
 * `open` goes on where the one before stopped; no line is lost or written twice.
 *
 * The log never waits for a subscriber. A slow subscriber reads from the spool at its own pace, and what it has not taken
 * stays there; when 6 MiB are waiting, the container's writes block, as they do with Docker (at 1 MB there).
 */
export interface Pump {
  /** Begins to take a process's output. A key that is open already is an error. */
  open(key: LogKey, log: OpenLog): void
  /** There may be more in the spool. */
  notify(key: LogKey): void
  /**
   * All output from now on (for a key that is not open yet: from its beginning). The iteration ends when the process has ended
   * and everything was given, or by `end`.
   */
  subscribe(key: LogKey): Subscription
  /**
   * Called once the process has ended (the shim's exit event: its spool is complete then). Resolves when all of it has been
   * written to the log. Subscriptions end when they have been read to the end, which may be later.
   */
  drained(key: LogKey): Promise<void>
  /** Forgets a key and ends its subscriptions as soon as they have been given what is there. */
  close(key: LogKey): Promise<void>
  /** Ends the worker. What is unread stays in the spools. */
  shutdown(): Promise<void>
}

/** Where a log is and how it is read back. */
export interface ReadLog {
  readonly logPath: string
  /** Files that are kept, the current one included. */
  readonly files: number
  /** With `follow`: resolves when the container has stopped and its log is complete; resolved already for one that is not running. */
  readonly ended: Promise<void>
}
