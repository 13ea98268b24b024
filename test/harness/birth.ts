import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCgroup, createProcess, execProcess, killCgroup, removeCgroup, type Birth, type BirthOutcome, type OciProcess, type OciSpec } from '@engine/runtime'
import { processStat } from '@engine/linux/process-stat'
import { reap, type ProcessEnd } from '@engine/linux/wait'
import { busyboxRoot } from './busybox.ts'
import { plainSpec } from './spec.ts'

export type Change<T> = (given: T) => T

/** A process that has come to its end, or that never was. */
export interface Result {
  readonly outcome: BirthOutcome
  /** What it wrote on both streams. */
  readonly output: string
  readonly end: ProcessEnd | undefined
  /** Why there was no process; '' when there was one. */
  readonly failure: string
}

/** A container that runs. */
export interface Running {
  readonly pid: number
  readonly spec: OciSpec
  readonly outcome: BirthOutcome
  /** What it has written so far. */
  output(): string
  ended(): Promise<ProcessEnd>
}

export interface RunOptions {
  readonly filter?: Buffer | undefined
}

/** Containers without a shim: births by this very process, in cgroups of the test's own. */
export class TestBirths implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'engine-birth-'))
  readonly root = busyboxRoot(this.directory)
  readonly cgroup = `/engine-test-birth-${process.pid}-${randomBytes(3).toString('hex')}`
  readonly #running = new Map<number, number>()
  #count = 0

  /** Runs a shell command in a container to its end. */
  shell(script: string, change: Change<OciSpec> = (spec) => spec, options: RunOptions = {}): Promise<Result> {
    return this.run((spec) => change({ ...spec, process: { ...spec.process, args: ['sh', '-c', script] } }), options)
  }

  /** Runs a container to its end, with its output in a file. */
  async run(change: Change<OciSpec>, options: RunOptions = {}): Promise<Result> {
    const spec = this.spec(change)
    const streams = this.#streams()
    try {
      const outcome = await born(createProcess(spec, streams.stdio, filterOf(options)))
      return await result(outcome, streams.output)
    } finally {
      streams.close()
      await removeCgroup(spec.linux.cgroupsPath)
    }
  }

  /** Starts a container that goes on; it is killed at the end. */
  async start(args: readonly string[], change: Change<OciSpec> = (spec) => spec, options: RunOptions = {}): Promise<Running> {
    const spec = this.spec((plain) => change({ ...plain, process: { ...plain.process, args } }))
    const streams = this.#streams()
    const outcome = await born(createProcess(spec, streams.stdio, filterOf(options)))
    streams.close()
    if (!outcome.born) throw new Error(outcome.failure.message)
    const { pid, pidfd } = outcome
    this.#running.set(pid, pidfd)
    const end = async (): Promise<ProcessEnd> => {
      const how = await ended(pidfd)
      this.#running.delete(pid)
      closeSync(pidfd)
      return how
    }
    return { pid, spec, outcome, output: streams.output, ended: end }
  }

  /** Runs one more process in a container to its end. */
  async exec(target: Running, change: Change<OciProcess>, options: RunOptions = {}): Promise<Result> {
    const streams = this.#streams()
    try {
      return await result(await born(this.beginExec(target, change, streams.stdio, options)), streams.output)
    } finally {
      streams.close()
    }
  }

  beginExec(target: Running, change: Change<OciProcess>, stdio: Parameters<typeof execProcess>[2], options: RunOptions = {}): Birth {
    const startTime = processStat(target.pid)?.startTime ?? ''
    return execProcess({ pid: target.pid, startTime, cgroupsPath: target.spec.linux.cgroupsPath }, change(target.spec.process), stdio, filterOf(options))
  }

  /** The spec of a container of its own, with its cgroup made. */
  spec(change: Change<OciSpec>): OciSpec {
    const spec = change(plainSpec(this.root, `${this.cgroup}/${this.#count++}`))
    createCgroup(spec.linux.cgroupsPath, spec.linux.resources)
    return spec
  }

  #streams(): { readonly stdio: { stdin: number; stdout: number; stderr: number }; output(): string; close(): void } {
    const file = join(this.directory, `${this.#count++}.out`)
    const output = openSync(file, 'a')
    const nothing = openSync('/dev/null', 'r')
    return {
      stdio: { stdin: nothing, stdout: output, stderr: output },
      output: () => readFileSync(file, 'utf8'),
      close: () => {
        closeSync(output)
        closeSync(nothing)
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#running.keys()) process.kill(pid, 'SIGKILL')
    // All at a time: the first process of a PID namespace ends only when the others in it have been reaped.
    await Promise.all([...this.#running.values()].map(async (pidfd) => {
      await ended(pidfd)
      closeSync(pidfd)
    }))
    killCgroup(this.cgroup)
    await removeCgroup(this.cgroup)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function filterOf({ filter: program }: RunOptions): Parameters<typeof createProcess>[2] {
  return program === undefined ? {} : { filter: { program, flags: 0 } }
}

async function result(outcome: BirthOutcome, output: () => string): Promise<Result> {
  if (!outcome.born) return { outcome, output: output(), end: undefined, failure: outcome.failure.message }
  const end = await ended(outcome.pidfd)
  closeSync(outcome.pidfd)
  return { outcome, output: output(), end, failure: '' }
}

/** Waits until a child has executed or died. */
export async function born(birth: Birth): Promise<BirthOutcome> {
  const byte = Buffer.alloc(1)
  for (;;) {
    try {
      readSync(birth.ready, byte, 0, 1, null)
      return birth.finish()
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      await sleep(1)
    }
  }
}

/** Waits for the end of a child, and reaps it. */
export async function ended(pidfd: number): Promise<ProcessEnd> {
  for (;;) {
    const end = reap(pidfd)
    if (end !== undefined) return end
    await sleep(2)
  }
}
