import { closeSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { realtime } from '@engine/linux/clock'
import type { ProcessEnd } from '@engine/linux/wait'
import { setWindowSize } from '@engine/linux/window-size'
import type { ShimProcess } from './client-types.ts'
import { exitStatus, rfc3339, writeExitFile } from './exit-file.ts'
import { ExitWatch } from './exit-watch.ts'
import { removeFifos } from './fifos.ts'
import type { Keeper } from './keeper.ts'
import { keyOf, keyText } from './key.ts'
import type { BlockReason, ExitStatus, ShimEvent } from './messages.ts'
import { OutputTap } from './output-tap.ts'
import { FifoSource, TerminalSource } from './output-source.ts'
import type { Poller } from './poller.ts'
import type { SharedDescriptors } from './shared-descriptors.ts'
import type { SpoolWriter } from './spool-writer.ts'
import type { HeldDescriptors, SupervisedState } from './supervised-state.ts'
import type { Witness } from './witness.ts'

/** How long output is waited for after a process's end while somebody else (a background child) still holds its streams; Docker's time. */
const DRAIN_MILLISECONDS = 2000
/** How often a full disk is tried again. */
const RETRY_MILLISECONDS = 1000

/** What a process's supervision needs of the shim. */
export interface Surroundings {
  readonly poller: Poller
  readonly witness: Witness
  readonly keeper: Pick<Keeper, 'drop' | 'release'>
  /** How many processes the kernel has killed in a cgroup for want of memory. */
  readonly oomKills: (cgroupsPath: string) => number
  readonly emit: (event: Exclude<ShimEvent, { event: 'output' }>) => void
  /** There is more in the process's spool. */
  readonly output: (process: ShimProcess) => void
  /** Takes a FIFO whose process has ended, but not all its writers, and throws away what they write, so that they go on. */
  readonly sink: (fd: number) => void
  readonly log: (message: string) => void
}

/**
 * One process from execve until its release: its output into its spool, its end into exit.json and an event.
 *
 * The end of a process is announced when its output is complete: at once if nobody else holds its streams, after
 * DRAIN_MILLISECONDS at most. What a child left in the background writes afterwards is thrown away (Docker closes the pipe, which kills such a child).
 */
export class SupervisedProcess {
  readonly #process: Omit<ShimProcess, 'status' | 'stdin'>
  readonly #around: Surroundings
  readonly #spool: SpoolWriter
  readonly #taps: OutputTap[]
  readonly #adopted: boolean
  readonly #oomKillsBefore: number
  readonly #master: number | undefined
  #stdin: number | undefined
  #pidfd: number | undefined
  #exitWatch: ExitWatch | undefined
  readonly #told: ProcessEnd | undefined
  #ended: { readonly end: ProcessEnd | undefined; readonly finishedAt: string } | undefined
  #concluded = false
  #released = false
  #status: ExitStatus | undefined
  #blocked: BlockReason | undefined
  #unwatchSpool: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(state: SupervisedState, spool: SpoolWriter, around: Surroundings) {
    this.#process = state.process
    this.#around = around
    this.#spool = spool
    this.#adopted = state.adopted
    this.#oomKillsBefore = state.oomKillsBefore
    this.#pidfd = state.pidfd
    this.#master = state.master
    this.#stdin = state.fifos?.stdin
    this.#status = state.status
    this.#concluded = state.status !== undefined
    const sources = state.fifos === undefined
      ? state.master === undefined ? [] : [new TerminalSource(state.master, state.unsaved === undefined ? undefined : Buffer.from(state.unsaved, 'base64'))]
      : [new FifoSource(state.fifos.stdout, 1), new FifoSource(state.fifos.stderr, 2)]
    this.#taps = sources.map((source) => new OutputTap(source, around.poller, (tap) => this.#take(tap)))
    this.#told = state.told
    if (state.ended !== undefined) this.#ended = { end: state.ended.end, finishedAt: state.ended.finishedAt }
  }

  /** Begins to watch. Nothing is announced before this. */
  begin(): void {
    if (this.#concluded) return
    for (const tap of this.#taps) tap.open()
    if (this.#ended !== undefined) {
      this.#drain()
      return
    }
    if (this.#pidfd === undefined) {
      this.#end(this.#told)
      return
    }
    const { pid, startTime } = this.#process
    this.#exitWatch = new ExitWatch({ pid, startTime, pidfd: this.#pidfd, adopted: this.#adopted, told: this.#told }, this.#around, (end) => this.#end(end))
  }

  get description(): ShimProcess {
    const described = { ...this.#process, stdin: this.#stdin !== undefined }
    return this.#status === undefined ? described : { ...described, status: this.#status }
  }

  /** The terminal's master. @throws EngineError when there is none */
  get master(): number {
    if (this.#master === undefined || this.#concluded) throw new EngineError('conflict', `process ${keyText(this.#process)} has no terminal`)
    return this.#master
  }

  /** The descriptors that engined is to hold as well; none once it has ended. */
  get shared(): SharedDescriptors {
    const { fifos, ...others } = this.#held
    return { ...others, ...fifos }
  }

  resize(rows: number, columns: number): void {
    setWindowSize(this.master, rows, columns)
  }

  closeStdin(): void {
    if (this.#stdin === undefined) return
    closeSync(this.#stdin)
    this.#stdin = undefined
    this.#around.keeper.drop(this.#process.runDirectory, 'stdin')
  }

  /** Forgets an ended process. @throws EngineError conflict while it runs */
  release(): void {
    if (this.#status === undefined) throw new EngineError('conflict', `process ${keyText(this.#process)} has not ended`)
    this.#released = true
    clearTimeout(this.#timer)
    removeFifos(this.#process.runDirectory)
    this.#around.keeper.release(this.#process.runDirectory)
  }

  /** For the program that this process becomes next. Nothing may happen here afterwards. */
  state(): SupervisedState {
    const [stdout] = this.#taps
    const unsaved = stdout?.source instanceof TerminalSource ? stdout.source.unsaved : undefined
    return {
      process: this.#process,
      adopted: this.#adopted,
      oomKillsBefore: this.#oomKillsBefore,
      ...(this.#told === undefined ? {} : { told: this.#told }),
      ...this.#held,
      ...(this.#ended === undefined ? {} : { ended: { finishedAt: this.#ended.finishedAt, ...(this.#ended.end === undefined ? {} : { end: this.#ended.end }) } }),
      ...(this.#status === undefined ? {} : { status: this.#status }),
      ...(unsaved === undefined ? {} : { unsaved: unsaved.toString('base64') }),
    }
  }

  get #held(): HeldDescriptors {
    const [stdout, stderr] = this.#taps
    return {
      ...(this.#pidfd === undefined ? {} : { pidfd: this.#pidfd }),
      ...(this.#concluded || this.#master === undefined ? {} : { master: this.#master }),
      ...(this.#concluded || stdout === undefined || stderr === undefined
        ? {}
        : { fifos: { stdout: stdout.source.fd, stderr: stderr.source.fd, ...(this.#stdin === undefined ? {} : { stdin: this.#stdin }) } }),
    }
  }

  /** A stream is readable (or at its end). */
  #take(tap: OutputTap): void {
    if (this.#blocked !== undefined) return
    if (this.#spool.full && tap.drainLeft <= 0) {
      if (this.#ended === undefined) this.#block('spool-full', 'the spool is full: nobody has taken the output')
      else tap.pause()
      return
    }
    try {
      if (tap.take(this.#spool)) this.#around.output(this.description)
    } catch (error) {
      this.#block('disk-full', error instanceof Error ? error.message : String(error))
      return
    }
    if (this.#ended !== undefined && this.#taps.every((each) => each.ended)) this.#conclude()
  }

  /** Takes nothing until there is room; the writer then blocks on its pipe. */
  #block(reason: BlockReason, message: string): void {
    if (this.#blocked === undefined) this.#around.emit({ event: 'blocked', reason, message, ...keyOf(this.#process) })
    this.#blocked = reason
    for (const tap of this.#taps) tap.pause()
    if (reason === 'disk-full') {
      if (this.#ended === undefined) this.#timer = setTimeout(() => this.#resume(), RETRY_MILLISECONDS)
      return
    }
    this.#unwatchSpool = this.#spool.watch(() => this.goOn())
    // What was deleted before the watch began is not told by it.
    this.goOn()
  }

  /** Takes output again, when it was held up by a full spool that has room now. */
  goOn(): void {
    if (this.#blocked === 'spool-full' && !this.#spool.full) this.#resume()
  }

  #resume(): void {
    this.#unwatchSpool?.()
    this.#unwatchSpool = undefined
    clearTimeout(this.#timer)
    if (this.#concluded) return
    if (this.#blocked === 'disk-full') {
      try {
        for (const tap of this.#taps) if (!tap.ended && tap.take(this.#spool)) this.#around.output(this.description)
      } catch (error) {
        this.#block('disk-full', error instanceof Error ? error.message : String(error))
        return
      }
    }
    this.#blocked = undefined
    for (const tap of this.#taps) tap.open()
    this.#around.emit({ event: 'resumed', ...keyOf(this.#process) })
  }

  /** It has ended, as `end` says if anybody knows. */
  #end(end: ProcessEnd | undefined): void {
    this.#exitWatch?.stop()
    if (this.#pidfd !== undefined) closeSync(this.#pidfd)
    this.#pidfd = undefined
    clearTimeout(this.#timer)
    this.#ended = { end, finishedAt: rfc3339(realtime()) }
    this.#drain()
  }

  /** Takes what the streams hold: also into a full spool, since a pipe's content is bounded. */
  #drain(): void {
    this.#unwatchSpool?.()
    this.#unwatchSpool = undefined
    this.#blocked = undefined
    for (const tap of this.#taps) {
      // With the last one's end all are closed.
      if (tap.ended || this.#concluded) continue
      tap.open()
      // One more than it can hold, so that its end is seen.
      tap.drainLeft = tap.source.capacity + 1
      while (!this.#concluded && !tap.ended && this.#blocked === undefined && tap.drainLeft > 0) {
        const left: number = tap.drainLeft
        this.#take(tap)
        if (tap.drainLeft === left) break
      }
    }
    if (this.#taps.every((tap) => tap.ended)) this.#conclude()
    else if (!this.#concluded) this.#timer = setTimeout(() => this.#conclude(), DRAIN_MILLISECONDS)
  }

  /** Closes what was held and announces the end. */
  #conclude(): void {
    const ended = this.#ended
    if (this.#concluded || ended === undefined) return
    this.#concluded = true
    clearTimeout(this.#timer)
    for (const tap of this.#taps) {
      tap.pause()
      if (!tap.ended && tap.source instanceof FifoSource) this.#around.sink(tap.source.fd)
      else closeSync(tap.source.fd)
    }
    this.closeStdin()
    this.#spool.close()
    // All but what tells how it ended, until that is written.
    this.#around.keeper.drop(this.#process.runDirectory, 'stdout', 'master')
    const oomKilled = this.#process.exec === undefined && this.#oomKills() > this.#oomKillsBefore
    if (oomKilled) this.#around.emit({ event: 'oom', ...keyOf(this.#process) })
    void this.#record(exitStatus(ended.end, oomKilled, ended.finishedAt), true)
  }

  /** Writes exit.json, then announces; when that cannot be, announces all the same and tries again. */
  async #record(status: ExitStatus, announce: boolean): Promise<void> {
    const { pid, startTime, directory, runDirectory } = this.#process
    try {
      await writeExitFile(directory, { pid, startTime, status })
      if (!this.#released) this.#around.keeper.release(runDirectory)
    } catch (error) {
      const removed = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (announce) this.#around.log(`${keyText(this.#process)}: exit.json: ${error instanceof Error ? error.message : String(error)}`)
      if (!removed && !this.#released) this.#timer = setTimeout(() => void this.#record(status, false), RETRY_MILLISECONDS)
    }
    if (!announce) return
    this.#status = status
    this.#around.emit({ event: 'exit', pid, status, ...keyOf(this.#process) })
  }

  #oomKills(): number {
    try {
      return this.#around.oomKills(this.#process.cgroupsPath)
    } catch (error) {
      this.#around.log(`${keyText(this.#process)}: ${error instanceof Error ? error.message : String(error)}`)
      return 0
    }
  }
}
