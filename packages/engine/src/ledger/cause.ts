import { AsyncLocalStorage } from 'node:async_hooks'

/** Why something is done: a request of a client's, or a reason of the engine's own. */
export interface Cause {
  /** `POST /containers/create`, `exit`, `restart policy`, `reconcile`. */
  readonly request: string
  readonly id: string
}

/** What kernel actions are made for at this moment. */
export interface Subject {
  readonly cause: Cause
  /** Container id; absent while nothing is done for one. */
  readonly container?: string
  readonly exec?: string
}

const current = new AsyncLocalStorage<Subject>()
const unasked: Cause = { request: 'engine', id: '' }
let counter = 0

/** Runs `work` with a cause that every kernel action made meanwhile is recorded with. */
export function causedBy<T>(cause: Cause, work: () => T): T {
  return current.run({ ...current.getStore(), cause }, work)
}

/** Like {@link causedBy}, for what the engine does by itself: `exit`, `reconcile`. */
export function causedByEngine<T>(reason: string, work: () => T): T {
  return causedBy({ request: reason, id: `${reason.replaceAll(' ', '-')}-${++counter}` }, work)
}

/** Like {@link causedByEngine}, for what nobody asks after: what it does to the kernel stands in no ledger. */
export function unrecorded<T>(reason: string, work: () => T): T {
  return current.run({ cause: { request: reason, id: '' } }, work)
}

/** Runs `work` for a container: what it does to the kernel stands in that container's ledger. */
export function withContainer<T>(container: string, work: () => T, exec?: string): T {
  const cause = current.getStore()?.cause ?? unasked
  return current.run(exec === undefined ? { cause, container } : { cause, container, exec }, work)
}

export function subject(): Subject | undefined {
  return current.getStore()
}
