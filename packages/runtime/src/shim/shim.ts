import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, errnoText } from '@engine/linux'
import type { PeerCredentials } from '@engine/linux/peer-credentials'
import { pidfdSendSignal } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import { waitPid } from '@engine/linux/wait'
import type { Birth, Filter, Stdio } from '../process/birth.ts'
import type { OciProcess } from '../spec.ts'
import { reapOrphans } from '../oci-runtime/orphans.ts'
import { adoptedState, takeDescriptor } from './adoption.ts'
import type { AdoptRequest, ShimProcess } from './client-types.ts'
import { bear, type Begin, type BirthPlace } from './bear.ts'
import { removeExitFile } from './exit-file.ts'
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
        const { process, linux } = params.spec
        const place = { cgroupsPath: linux.cgroupsPath, owner: ownerOf(params.spec), terminal: terminalOf(process) }
        return this.#bear(params, place, (stdio, filter) => this.#options.births.create(params, stdio, filter))
      }
      case 'exec': {
        const { params } = request
        const place = { cgroupsPath: params.cgroupsPath, owner: ownerInContainer(params.pid, params.process), terminal: terminalOf(params.process) }
        return this.#bear(params, place, (stdio, filter) => this.#options.births.exec(params, stdio, filter))
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

  #bear(request: StartRequest | ExecRequest, place: BirthPlace, begin: Begin): Promise<Started> {
    const name = keyText(request)
    if (this.#upgrading) throw new EngineError('unavailable', 'the shim is being upgraded')
    if (this.#processes.has(name) || this.#births.has(name)) throw new EngineError('conflict', `the shim has a process ${name} already`)
    const born = this.#birth(request, place, begin).finally(() => this.#births.delete(name))
    this.#births.set(name, born)
    return born
  }

  async #birth(request: StartRequest | ExecRequest, place: BirthPlace, begin: Begin): Promise<Started> {
    removeExitFile(request.directory)
    const outbox = this.#outbox
    const oomKillsBefore = request.exec === undefined ? this.#options.oomKills(place.cgroupsPath) : 0
    using undo = new DisposableStack()
    const spool = this.#spool(request.directory)
    undo.defer(() => spool.close())
    const born = await bear(request, place, begin, this.#poller, undo)
    const { pid, pidfd } = born
    try {
      // Another engined may have taken over meanwhile, and has asked already what there is.
      if (outbox?.closed === true) throw new EngineError('unavailable', 'who asked for the process has gone')
      const startTime = processStat(pid)?.startTime
      if (startTime === undefined) throw new EngineError('internal', `process ${pid} has no /proc/${pid}/stat: ${errnoText(2)}`)
      const { runDirectory, directory } = request
      const process = { ...keyOf(request), pid, startTime, runDirectory, directory, cgroupsPath: place.cgroupsPath, terminal: place.terminal !== undefined }
      const { fifos, master } = born
      this.#supervise({ process, adopted: false, oomKillsBefore, pidfd, ...(fifos === undefined ? {} : { fifos }), ...(master === undefined ? {} : { master }) }, spool)
      undo.move()
      const supervised = this.#find(request)
      await outbox?.send(request, () => supervised.shared, { born: true })
      return { pid, startTime, records: born.records }
    } catch (error) {
      this.#processes.delete(keyText(request))
      this.#keeper.release(request.runDirectory)
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
}

/** The cells of a process's terminal, if it has one. */
function terminalOf({ terminal, consoleSize }: OciProcess): BirthPlace['terminal'] {
  return terminal ? (consoleSize ?? { height: 0, width: 0 }) : undefined
}
