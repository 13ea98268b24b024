import { closeSync } from 'node:fs'
import { setTracer, type SyscallRecord } from '@engine/linux'
import { realtime } from '@engine/linux/clock'
import { pidfdOpen, pidfdSendSignal } from '@engine/linux/pidfd'
import { pipe } from '@engine/linux/pipe'
import { Program, ProgramFull, type Result } from '@engine/linux/program'
import { reapEnding, waitPid } from '@engine/linux/wait'
import type { ActionRecord } from '../shim/messages.ts'
import type { Birth, BirthOutcome } from './birth.ts'

const SIGKILL = 9

/** What a birth holds until it is over, and what it has recorded. */
export class BirthScope {
  readonly program: Program
  readonly #pipe = pipe()
  readonly #descriptors: number[] = []
  readonly #outliving: number[] = []
  readonly #records: ActionRecord[] = []
  readonly #silent: boolean

  /** @param silent nobody wants the record; only when the program was executed */
  constructor(program: Program, silent: boolean) {
    this.program = program
    this.#silent = silent
    this.#descriptors.push(this.#pipe.write)
  }

  /** The end of the `ready` pipe that the child (and its second stage) has until execve. */
  get ready(): number {
    return this.#pipe.write
  }

  /** What has been taken by `hold`, for the child to keep; the `ready` pipe among it. */
  get held(): readonly number[] {
    return this.#descriptors
  }

  /** Takes a descriptor that is closed when the child has been forked. */
  readonly hold = (fd: number): void => {
    this.#descriptors.push(fd)
  }

  /** Takes a descriptor that the birth gives away: it is closed only when there will be no birth. */
  readonly giveAway = (fd: number): void => {
    this.#outliving.push(fd)
  }

  /** Runs preparations in this process; each kernel action is recorded as the shim's. */
  prepare<T>(work: () => T): T {
    if (this.#silent) return work()
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
    return [...this.#records, ...this.program.records(this.#silent ? 'execve' : undefined).map(({ at, ...record }) => ({ ...record, at: `${at}`, process: 'init' as const }))]
  }

  /** Closes what was held. @returns the read end of the `ready` pipe */
  forked(): number {
    for (const fd of this.#descriptors.splice(0)) closeSync(fd)
    return this.#pipe.read
  }

  /** Closes everything: there is no child. */
  abandon(): void {
    closeSync(this.forked())
    for (const fd of this.#outliving.splice(0)) closeSync(fd)
    this.program.free()
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
  readonly pidAt?: number
  readonly master?: number
  /** What lets exit_group(2) pass the filter; see passage.ts. */
  readonly passage?: bigint | undefined
  /** The text for when no execve call found a program. */
  notExecuted(program: Program): { readonly errno: number; readonly message: string }
}

/**
 * Lays out a birth by `plan` and forks. Nothing of the child's set-up runs on this thread.
 * @throws what `plan` throws; everything opened so far is closed then
 */
export function begin(plan: (scope: BirthScope) => Plan, silent = false): Birth {
  try {
    return attempt(plan, new BirthScope(new Program(), silent))
  } catch (error) {
    if (!(error instanceof ProgramFull)) throw error
    // Megabytes of arguments, or hundreds of mounts. Execve judges the former.
    return attempt(plan, new BirthScope(new Program('large'), silent))
  }
}

function attempt(plan: (scope: BirthScope) => Plan, scope: BirthScope): Birth {
  let planned: Plan
  let child: Child
  try {
    planned = scope.prepare(() => plan(scope))
    child = scope.program.fork(planned)
  } catch (error) {
    scope.abandon()
    throw error
  }
  const ready = scope.forked()
  const birth = { ready, finish: () => finish(scope, planned, child, ready) }
  return planned.master === undefined ? birth : { ...birth, master: planned.master }
}

interface Child {
  readonly pid: number
  readonly pidfd: number
}

/**
 * Judges a birth by the table that the child has left. Runs when the `ready` pipe is at its end.
 * A second stage can be traced by a container, made to close that pipe and to write whatever it likes into the table. So who does
 * not become the process is killed before it is waited for: this thread must never depend on what a container does.
 */
function finish(scope: BirthScope, plan: Plan, child: Child, ready: number): BirthOutcome {
  const { program } = scope
  closeSync(ready)
  try {
    const last = plan.calls.at(-1) as Result
    const executing = plan.calls.some((call) => program.begun(call) && !program.returned(call))
    const born = becomeProcess(child, plan.pidAt === undefined ? undefined : Number(program.read(plan.pidAt) & 0xffff_ffffn), executing)
    try {
      const records = scope.records()
      if (born !== undefined) return { born: true, ...born, records }
      const failure = program.failure()
      if (failure !== undefined) return { born: false, failure, records }
      if (program.returned(last)) return { born: false, failure: { step: 'execve', ...plan.notExecuted(program) }, records }
      return { born: false, failure: { errno: 0, step: 'set-up', message: 'container init was killed during its set-up (out of memory?)' }, records }
    } catch (error) {
      if (born !== undefined) end(born.pidfd)
      throw error
    }
  } finally {
    program.free()
  }
}

/** The process that has executed; everything else is ended. @param staged pid of the second stage: 0 when there is none yet */
function becomeProcess(child: Child, staged: number | undefined, executing: boolean): Child | undefined {
  if (staged === undefined && executing) return child
  end(child.pidfd)
  if (staged === undefined || staged === 0) return undefined
  let pidfd: number
  try {
    pidfd = pidfdOpen(staged)
  } catch (error) {
    // No descriptor to be had: nobody could look after it.
    process.kill(staged, SIGKILL)
    waitPid(staged)
    throw error
  }
  if (executing) return { pid: staged, pidfd }
  end(pidfd)
  return undefined
}

/** Kills and reaps a child, and closes its pidfd. */
function end(pidfd: number): void {
  try {
    pidfdSendSignal(pidfd, SIGKILL)
    reapEnding(pidfd)
  } finally {
    closeSync(pidfd)
  }
}
