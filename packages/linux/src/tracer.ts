/** A decoded argument or result of a kernel action: short text or a number, never a secret. */
export type TracedValue = string | number | boolean

/** One kernel action as it was made; see docs/architecture.md, "The ledger". */
export interface SyscallRecord {
  /** The system call's name, or a subject's own verb where one message makes many (`netlink RTM_NEWLINK`). */
  readonly call: string
  readonly args: Readonly<Record<string, TracedValue>>
  /** What the call returned; -1 when it failed. */
  readonly result: number
  /** errno's name (`EPERM`) when it failed. */
  readonly errno?: string
  /** How long it took, in nanoseconds. */
  readonly nanoseconds: number
}

export interface Tracer {
  (record: SyscallRecord): void
  /** Whether records made at this moment are kept at all: making one costs more than many a call. */
  readonly wanted?: () => boolean
}

let current: Tracer | undefined
let guarded: Tracer | undefined

/** Sets the tracer of this thread (each worker has its own); `undefined` turns tracing off. Returns the one before. */
export function setTracer(tracer: Tracer | undefined): Tracer | undefined {
  const before = current
  current = tracer
  guarded = tracer === undefined ? undefined : harmless(tracer)
  return before
}

/** The tracer of this thread, if one is set and wants records at this moment; it never throws. */
export function tracer(): Tracer | undefined {
  return current?.wanted?.() === false ? undefined : guarded
}

/** The call has been made by now: were its result lost to a fault of the tracer's, a descriptor would leak with it. */
function harmless(tracer: Tracer): Tracer {
  return (record) => {
    try {
      tracer(record)
    } catch (error) {
      process.emitWarning(`the tracer failed at ${record.call}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

/** Runs `work` with `tracer` set, and puts the one before back; for synchronous work only. */
export function traced<T>(to: Tracer, work: () => T): T {
  const before = setTracer(to)
  try {
    return work()
  } finally {
    setTracer(before)
  }
}

/**
 * Runs synchronous work on files and reports it as one action, however many calls it makes: the ledger is to tell what shaped a
 * container, not every directory that was opened on the way.
 * @param step what is done, in a word or two: `prepare layers`
 */
export function summarized<T>(step: string, args: Readonly<Record<string, TracedValue>>, work: () => T): T {
  const report = setTracer(undefined)
  const start = process.hrtime.bigint()
  let result = -1
  try {
    const done = work()
    result = 0
    return done
  } finally {
    setTracer(report)
    report?.({ call: step, args, result, nanoseconds: Number(process.hrtime.bigint() - start) })
  }
}
