import { closeSync } from 'node:fs'
import { setTracer, type SyscallRecord } from '@engine/linux'
import { realtime } from '@engine/linux/clock'
import { pidfdOpen } from '@engine/linux/pidfd'
import { pipe } from '@engine/linux/pipe'
import { Program, type Result } from '@engine/linux/program'
import { reapEnding } from '@engine/linux/wait'
import type { ActionRecord } from '../shim/messages.ts'
import type { Birth, BirthOutcome } from './birth.ts'

/** What a birth holds until it is over, and what it has recorded. */
export class BirthScope {
  readonly program = new Program()
  readonly #descriptors: number[] = []
  readonly #records: ActionRecord[] = []

  /** Takes a descriptor that is closed when the child has been forked. */
  readonly hold = (fd: number): void => {
    this.#descriptors.push(fd)
  }

  /** Runs preparations in this process; each kernel action is recorded as the shim's. */
  prepare<T>(work: () => T): T {
    const before = setTracer((record: SyscallRecord) => {
      this.#records.push({ ...record, at: `${realtime()}`, process: 'shim' })
    })
    try {
      return work()
    } finally {
      setTracer(before)
    }
  }

  /** The preparations' records, then the child's. */
  records(): ActionRecord[] {
    return [...this.#records, ...this.program.records().map(({ at, ...record }) => ({ ...record, at: `${at}`, process: 'init' as const }))]
  }

  /** Closes what was held. */
  close(): void {
    for (const fd of this.#descriptors.splice(0)) closeSync(fd)
  }
}

/** A laid-out program and how to judge it. */
export interface Plan {
  /** Namespaces made by clone itself. */
  readonly flags: number
  readonly cgroup: number | undefined
  /** The execve calls. */
  readonly calls: readonly Result[]
  /** Where the program stores the pid of the process when the forked child is not it. */
  readonly pidAt?: bigint
  readonly master?: number
  /** The text for when no execve call found a program. */
  notExecuted(program: Program): { readonly errno: number; readonly message: string }
}

/**
 * Lays out a birth by `plan` and forks. The write end of the `ready` pipe is the child's (and its second stage's) until execve.
 * Nothing of the child's set-up runs on this thread.
 * @throws what `plan` throws; everything opened so far is closed then
 */
export function begin(plan: (scope: BirthScope) => Plan): Birth {
  const scope = new BirthScope()
  let ready: { read: number; write: number } | undefined
  try {
    const planned = scope.prepare(() => plan(scope))
    ready = pipe()
    const { read } = ready
    const child = scope.program.fork({ flags: planned.flags, ...(planned.cgroup === undefined ? {} : { cgroup: planned.cgroup }) })
    closeSync(ready.write)
    scope.close()
    const birth = { ready: read, finish: () => finish(scope, planned, child, read) }
    return planned.master === undefined ? birth : { ...birth, master: planned.master }
  } catch (error) {
    if (ready !== undefined) for (const fd of [ready.read, ready.write]) closeSync(fd)
    scope.close()
    scope.program.free()
    throw error
  }
}

/** Judges a birth by the table that the child has left. Runs when the `ready` pipe is at its end. */
function finish(scope: BirthScope, plan: Plan, child: { readonly pid: number; readonly pidfd: number }, ready: number): BirthOutcome {
  const { program } = scope
  closeSync(ready)
  try {
    const records = scope.records()
    const last = plan.calls.at(-1) as Result
    const executing = plan.calls.find((call) => program.begun(call) && !program.returned(call))
    const staged = plan.pidAt === undefined ? undefined : Number(program.read(plan.pidAt) & 0xffff_ffffn)
    if (executing !== undefined) {
      if (staged === undefined) return { born: true, ...child, records }
      end(child.pidfd)
      return { born: true, pid: staged, pidfd: pidfdOpen(staged), records }
    }
    end(child.pidfd)
    if (staged !== undefined && staged > 0) end(pidfdOpen(staged))
    const failure = program.failure()
    if (failure !== undefined) return { born: false, failure, records }
    if (program.returned(last)) return { born: false, failure: { step: 'execve', ...plan.notExecuted(program) }, records }
    return { born: false, failure: { errno: 0, step: 'set-up', message: 'container init was killed during its set-up (out of memory?)' }, records }
  } finally {
    program.free()
  }
}

/** Reaps a child that has closed its last descriptor, and closes its pidfd. */
function end(pidfd: number): void {
  reapEnding(pidfd)
  closeSync(pidfd)
}
