import type { PublishedPort } from '../published-port.ts'

/** A published port, or a run of them, that the kernel does not lead to its container by itself. */
export interface RelayedPort extends PublishedPort {
  /** The last port of the run, which keeps its numbers; `hostPort` when it is alone. */
  readonly last: number
  /** Of UDP: the socket that keeps the port, where what comes is taken in. It is the sender's to close, after the worker knows. */
  readonly socket?: number
}

/** What the thread that relays is told. */
export type ToRelay =
  /** An owner's ports, in the place of those it had; none when they close. */
  | { readonly type: 'ports'; readonly owner: string; readonly ports: readonly RelayedPort[] }
  | { readonly type: 'end' }

/** What the thread is begun with. */
export interface RelayData {
  /** The listening socket of TCP. */
  readonly listener: number
  /** An eventfd that is signalled after each message: the thread waits for descriptors only. */
  readonly wake: number
  /** How many messages it has done what they said; others wait for that. */
  readonly done: SharedArrayBuffer
  /** Where it notes its descriptors. */
  readonly held: SharedArrayBuffer
}
