import { closeSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, errnoText } from '@engine/linux'
import { Epoll } from '@engine/linux/epoll'
import type { PeerCredentials } from '@engine/linux/peer-credentials'
import { pidfdSendSignal } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import { waitPid } from '@engine/linux/wait'
import type { Birth, BirthOutcome, Filter, Stdio } from '../process/birth.ts'
import { reapOrphans } from '../oci-runtime/orphans.ts'
import { adoptedState, takeDescriptor } from './adoption.ts'
import { BirthError, type AdoptRequest, type ShimProcess } from './client-types.ts'
import { removeExitFile } from './exit-file.ts'
import { makeFifos, removeFifos, type Fifos } from './fifos.ts'
import type { ShimRequest } from './guards.ts'
import { Keeper } from './keeper.ts'
import { keyOf, keyText } from './key.ts'
import { Legacy } from './legacy.ts'
import type { ExecRequest, ProcessKey, ShimEvent, StartRequest, Started } from './messages.ts'
import { Poller } from './poller.ts'
import { closeAll, DescriptorOutbox, type SharedDescriptors } from './shared-descriptors.ts'
import { Sink } from './sink.ts'
import { ATTENDED_BYTES, LIMIT_BYTES } from './spool-format.ts'
import { SpoolWriter } from './spool-writer.ts'
import { ownerInContainer, ownerOf } from './stream-owner.ts'
import { SupervisedProcess, type Surroundings } from './supervised-process.ts'
import type { SupervisedState } from './supervised-state.ts'
import { Witness } from './witness.ts'

/** How often children that were left to this process by accident are looked for, once another runtime has been used. */
const ORPHAN_MILLISECONDS = 10_000
/** How long an upgrade waits for processes that are being made. */
const BIRTH_MILLISECONDS = 10_000

/** What makes processes; given from outside so that the shim can be tried without containers. */
export interface Births {
  create(request: StartRequest, stdio: Stdio, filter: Filter | undefined): Birth
  exec(request: ExecRequest, stdio: Stdio, filter: Filter | undefined): Birth
}

export interface ShimOptions {
  readonly births: Births
  /** How many processes the kernel has killed in a cgroup for want of memory. */
  readonly oomKills: (cgroupsPath: string) => number
  readonly emit: (event: Exclude<ShimEvent, { event: 'output' }>) => void
  readonly output: (key: ProcessKey) => void
  /** Whether engined is there to take the output; see `unattended`. */
  readonly attended: () => boolean
  readonly log: (message: string) => void
  /** Names the process that keeps descriptors beside this one; see keeper.ts. */
  readonly keeperFile: string
  /** Asks for the re-execution with the program at `path`, which happens after the answer has been sent. */
  readonly upgrade: (path: string) => void
}

/** What a successor of this program needs. */
export interface ShimState {
  readonly version: 1
  readonly processes: readonly SupervisedState[]
  readonly sinks: readonly number[]
}

/** The parent of all of an engined's containers. */
export class Shim {
  readonly #options: ShimOptions
  readonly #poller: Poller
  readonly #around: Surroundings
  readonly #processes = new Map<string, SupervisedProcess>()
  readonly #births = new Map<string, Promise<unknown>>()
  readonly #sinks = new Set<Sink>()
  readonly #keeper: Keeper
  readonly #legacy: Legacy
  #outbox: DescriptorOutbox | undefined
  #upgrading = false
  #orphanTimer: NodeJS.Timeout | undefined

  constructor(options: ShimOptions) {
    this.#options = options
    this.#poller = new Poller((error) => options.log(error instanceof Error ? (error.stack ?? error.message) : String(error)))
    this.#legacy = new Legacy(options.keeperFile, options.log)
    this.#keeper = new Keeper({ file: options.keeperFile, poller: this.#poller, everything: () => this.#everything(), log: options.log })
    this.#around = {
      poller: this.#poller,
      witness: new Witness(this.#poller, options.log),
      keeper: this.#keeper,
      oomKills: options.oomKills,
      emit: options.emit,
      output: (process) => options.output(keyOf(process)),
      sink: (fd) => this.#sink(fd),
      log: options.log,
    }
  }

  /** Whether there is nothing that would be lost without this process. */
  get idle(): boolean {
    return this.#births.size === 0 && [...this.#processes.values()].every((process) => process.description.status !== undefined)
  }

  /** Does what engined asks. @param peer who asks: descriptors that it names are its own */
  async serve(request: ShimRequest, peer: PeerCredentials): Promise<unknown> {
    switch (request.method) {
      case 'start': {
        const { params } = request
        if (params.runtime !== undefined) this.#orphanTimer ??= setInterval(() => this.#reapOrphans(), ORPHAN_MILLISECONDS).unref()
        const terminal = params.spec.process.terminal ? (params.spec.process.consoleSize ?? { height: 0, width: 0 }) : undefined
        return this.#bear(params, params.spec.linux.cgroupsPath, ownerOf(params.spec), terminal, (stdio, filter) => this.#options.births.create(params, stdio, filter))
      }
      case 'exec': {
        const { params } = request
        const terminal = params.process.terminal ? (params.process.consoleSize ?? { height: 0, width: 0 }) : undefined
        return this.#bear(params, params.cgroupsPath, ownerInContainer(params.pid, params.process), terminal, (stdio, filter) => this.#options.births.exec(params, stdio, filter))
      }
      case 'adopt':
        return this.#adopt(request.params, peer)
      case 'inbox':
        this.#outbox?.close()
        this.#outbox = new DescriptorOutbox(takeDescriptor(peer.pid, request.params.socket))
        return undefined
      case 'share': {
        const process = this.#find(request.params)
        if (Object.keys(process.shared).length === 0) throw new EngineError('conflict', `process ${keyText(request.params)} has ended`)
        return this.#outbox?.send(request.params, () => process.shared, { born: false })
      }
      case 'closeStdin':
        return this.#find(request.params).closeStdin()
      case 'terminal':
        return this.#find(request.params).master
      case 'resize':
        return this.#find(request.params).resize(request.params.rows, request.params.columns)
      case 'release': {
        this.#processes.get(keyText(request.params))?.release()
        this.#processes.delete(keyText(request.params))
        return undefined
      }
      case 'renounce': {
        for (const [runDirectory] of this.#legacy.parts) this.#keeper.release(runDirectory)
        return this.#legacy.close()
      }
      case 'list':
        return [...this.#processes.values()].map((process): ShimProcess => process.description)
      case 'upgrade': {
        this.#upgrading = true
        try {
          // One may hang in a mount for ever (a server that does not answer); the upgrade does not wait with it.
          await Promise.race([Promise.allSettled(this.#births.values()), sleep(BIRTH_MILLISECONDS, undefined, { ref: false })])
          if (this.#births.size > 0) throw new EngineError('unavailable', `${this.#births.size} processes are still being made after ${BIRTH_MILLISECONDS / 1000} s`)
          this.#options.upgrade(request.params.path)
        } finally {
          this.#upgrading = false
        }
        return undefined
      }
    }
  }

  /** For the program that this process becomes next; nothing may be called on this object in between. */
  state(): ShimState {
    return { version: 1, processes: [...this.#processes.values()].map((process) => process.state()), sinks: [...this.#sinks].map((sink) => sink.fd) }
  }

  /** Takes over from the program that this process was before. */
  resume(state: ShimState): void {
    for (const supervised of state.processes) {
      this.#supervise(supervised, this.#spool(supervised.process.directory))
      closeAll(this.#legacy.take(supervised.process.runDirectory) ?? {})
    }
    for (const fd of state.sinks) this.#sink(fd)
  }

  /** Has what a shim before this one has left kept by a keeper of this one's. After `resume`, if that is called. */
  settle(): void {
    this.#keeper.begin()
    this.#legacy.settled()
  }

  /** All that is to outlive this process. */
  *#everything(): Iterable<readonly [string, SharedDescriptors]> {
    yield* this.#legacy.parts
    for (const process of this.#processes.values()) yield [process.description.runDirectory, process.shared]
  }

  /** Not while processes are being made: theirs are not known yet. */
  #reapOrphans(): void {
    if (this.#births.size === 0) reapOrphans(new Set([...this.#processes.values()].map(({ description }) => description.pid)))
  }

  /** Ends the loop, for tests: processes are left to themselves. */
  close(): void {
    clearInterval(this.#orphanTimer)
    this.#keeper.close()
    this.#poller.close()
  }

  /** engined is gone: what it has not taken may become more from now on. */
  unattended(): void {
    this.#outbox?.close()
    this.#outbox = undefined
    for (const process of this.#processes.values()) process.goOn()
  }

  #spool(directory: string): SpoolWriter {
    return new SpoolWriter(`${directory}/spool`, { limitBytes: () => (this.#options.attended() ? ATTENDED_BYTES : LIMIT_BYTES) })
  }

  #find(key: ProcessKey): SupervisedProcess {
    const process = this.#processes.get(keyText(key))
    if (process === undefined) throw new EngineError('not-found', `the shim has no process ${keyText(key)}`)
    return process
  }

  #supervise(state: SupervisedState, spool: SpoolWriter): void {
    const process = new SupervisedProcess(state, spool, this.#around)
    this.#processes.set(keyText(state.process), process)
    this.#keeper.hold(state.process.runDirectory, process.shared)
    process.begin()
  }

  #sink(fd: number): void {
    const sink = new Sink(fd, this.#poller, () => this.#sinks.delete(sink))
    this.#sinks.add(sink)
  }

  #bear(
    request: StartRequest | ExecRequest,
    cgroupsPath: string,
    owner: number,
    terminal: { readonly height: number; readonly width: number } | undefined,
    begin: (stdio: Stdio, filter: Filter | undefined) => Birth,
  ): Promise<Started> {
    const name = keyText(request)
    if (this.#upgrading) throw new EngineError('unavailable', 'the shim is being upgraded')
    if (this.#processes.has(name) || this.#births.has(name)) throw new EngineError('conflict', `the shim has a process ${name} already`)
    const born = this.#birth(request, cgroupsPath, owner, terminal, begin).finally(() => this.#births.delete(name))
    this.#births.set(name, born)
    return born
  }

  async #birth(
    request: StartRequest | ExecRequest,
    cgroupsPath: string,
    owner: number,
    terminal: { readonly height: number; readonly width: number } | undefined,
    begin: (stdio: Stdio, filter: Filter | undefined) => Birth,
  ): Promise<Started> {
    removeExitFile(request.directory)
    const outbox = this.#outbox
    const filter = request.seccompFilter === undefined ? undefined : { program: readFileSync(request.seccompFilter), flags: request.seccompFlags ?? 0 }
    using undo = new DisposableStack()
    const spool = this.#spool(request.directory)
    undo.defer(() => spool.close())
    const oomKillsBefore = request.exec === undefined ? this.#options.oomKills(cgroupsPath) : 0
    let fifos: Fifos | undefined
    let stdio: Stdio
    // The process's ends are closed when the birth is over: before, their closing could look like the end of the output.
    using theirs = new DisposableStack()
    if (terminal === undefined) {
      const made = makeFifos(request.runDirectory, owner, request.stdin)
      stdio = made.theirs
      fifos = made.ours
      for (const fd of Object.values(made.theirs)) theirs.defer(() => closeSync(fd))
      for (const fd of Object.values(made.ours)) undo.defer(() => closeSync(fd as number))
      undo.defer(() => removeFifos(request.runDirectory))
    } else {
      stdio = { terminal: { rows: terminal.height, columns: terminal.width } }
    }
    const birth = begin(stdio, filter)
    if (birth.master !== undefined) {
      const { master } = birth
      undo.defer(() => closeSync(master))
    }
    const outcome = await this.#outcome(birth)
    if (!outcome.born) {
      throw new BirthError(outcome.failure.message, { errno: outcome.failure.errno, step: outcome.failure.step, records: outcome.records })
    }
    const { pid, pidfd, records } = outcome
    const master = birth.master ?? outcome.master
    if (outcome.master !== undefined) undo.defer(() => closeSync(outcome.master as number))
    try {
      // Another engined may have taken over meanwhile, and has asked already what there is.
      if (outbox?.closed === true) throw new EngineError('unavailable', 'who asked for the process has gone')
      const startTime = processStat(pid)?.startTime
      if (startTime === undefined) throw new EngineError('internal', `process ${pid} has no /proc/${pid}/stat: ${errnoText(2)}`)
      const { runDirectory, directory } = request
      const process = { ...keyOf(request), pid, startTime, runDirectory, directory, cgroupsPath, terminal: terminal !== undefined }
      this.#supervise(
        { process, adopted: false, oomKillsBefore, pidfd, ...(fifos === undefined ? {} : { fifos }), ...(master === undefined ? {} : { master }) },
        spool,
      )
      undo.move()
      const born = this.#find(request)
      await outbox?.send(request, () => born.shared, { born: true })
      return { pid, startTime, records }
    } catch (error) {
      this.#processes.delete(keyText(request))
      pidfdSendSignal(pidfd, 9)
      waitPid(pid)
      closeSync(pidfd)
      throw error
    }
  }

  /** Watches a process whose shim died. */
  #adopt(request: AdoptRequest, peer: PeerCredentials): void {
    if (this.#processes.has(keyText(request))) return
    using undo = new DisposableStack()
    const spool = this.#spool(request.directory)
    undo.defer(() => spool.close())
    // Held until this one has opened it again: a pipe that nobody has open forgets its content.
    const left = this.#legacy.take(request.runDirectory) ?? {}
    try {
      this.#supervise(adoptedState(request, peer, left, this.#options.log, undo), spool)
    } finally {
      closeAll(left)
    }
    undo.move()
  }

  /** Waits until the child has executed or died. */
  #outcome(birth: Birth): Promise<BirthOutcome> {
    return new Promise((resolve, reject) => {
      const watch = this.#poller.watch(birth.ready, Epoll.IN, () => {
        watch.stop()
        try {
          resolve(birth.finish())
        } catch (error) {
          reject(error)
        }
      })
    })
  }
}
