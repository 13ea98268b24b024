import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  connectShim, createCgroup, deleteSegmentsBefore, endKeeper, killCgroup, removeCgroup, SpoolReader,
  type ExecRequest, type ExitStatus, type OciSpec, type ProcessKey, type ShimClient, type ShimEvent, type Started, type StartRequest,
} from '@engine/runtime'
import { MNT_DETACH, unmount } from '@engine/linux/unmount'
import { busyboxRoot } from './busybox.ts'
import { plainSpec } from './spec.ts'

export const shimProgram = join(import.meta.dirname, '../../packages/runtime/src/shim/main.ts')

/** One container (or exec) of a test's. */
export interface TestProcess extends ProcessKey {
  readonly directory: string
  readonly runDirectory: string
  readonly cgroupsPath: string
  readonly started: Started
}

/** A shim of a test's own, without a daemon. */
export class TestShim implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'engine-shim-'))
  readonly root = busyboxRoot(this.directory)
  readonly cgroup = `/engine-test-shim-${process.pid}-${randomBytes(3).toString('hex')}`
  readonly events: ShimEvent[] = []
  client!: ShimClient
  readonly #cgroups = new Set<string>()
  readonly #waiters = new Set<() => void>()

  static async start(): Promise<TestShim> {
    const shim = new TestShim()
    await shim.connect()
    return shim
  }

  get socketPath(): string {
    return join(this.directory, 'shim.sock')
  }

  get pid(): number {
    return Number(readFileSync(join(this.directory, 'shim.pid'), 'utf8'))
  }

  /** What the shim said on stderr. */
  get said(): string {
    return readFileSync(`${this.socketPath}.log`, 'utf8')
  }

  /** @param through a proxy's socket; then another client has to see to it that there is a shim */
  async connect(through?: string): Promise<void> {
    this.client = await connectShim({ nodeBinary: process.execPath, program: shimProgram, socketPath: through ?? this.socketPath, managed: through !== undefined, log: () => undefined })
    this.client.onEvent((event) => {
      this.events.push(event)
      for (const waiter of this.#waiters) waiter()
    })
  }

  /** Runs `args` in a container of its own. */
  async run(args: readonly string[], change: (spec: OciSpec) => OciSpec = (spec) => spec, stdin = false): Promise<TestProcess> {
    const container = randomBytes(32).toString('hex')
    const cgroupsPath = `${this.cgroup}/${container.slice(0, 12)}`
    const spec = change(plainSpec(this.root, cgroupsPath, [...args]))
    createCgroup(cgroupsPath, spec.linux.resources)
    this.#cgroups.add(cgroupsPath)
    const places = this.places(container)
    const request: StartRequest = { container, ...places, stdin, spec }
    return { container, ...places, cgroupsPath, started: await this.client.start(request) }
  }

  /** Runs `args` as one more process of a container. */
  async exec(target: TestProcess, args: readonly string[], stdin = false): Promise<TestProcess> {
    const exec = randomBytes(32).toString('hex')
    const places = this.places(exec)
    const { process } = plainSpec(this.root, target.cgroupsPath, [...args])
    const request: ExecRequest = { container: target.container, exec, ...places, stdin, process, cgroupsPath: target.cgroupsPath, pid: target.started.pid, startTime: target.started.startTime }
    return { container: target.container, exec, ...places, cgroupsPath: target.cgroupsPath, started: await this.client.exec(request) }
  }

  /** The directories of one process, made. */
  places(id: string): { readonly directory: string; readonly runDirectory: string } {
    const places = { directory: join(this.directory, 'containers', id), runDirectory: join(this.directory, 'run', id) }
    for (const path of Object.values(places)) mkdirSync(path, { recursive: true, mode: 0o700 })
    return places
  }

  /** Waits for the exit event. */
  async ended(process: ProcessKey, milliseconds = 10_000): Promise<ExitStatus> {
    const found = await this.event((event) => event.event === 'exit' && event.container === process.container && event.exec === process.exec, milliseconds)
    return (found as Extract<ShimEvent, { event: 'exit' }>).status
  }

  /** Waits for an event, also one that came before. */
  async event(wanted: (event: ShimEvent) => boolean, milliseconds = 10_000): Promise<ShimEvent> {
    const end = Date.now() + milliseconds
    for (;;) {
      const found = this.events.find(wanted)
      if (found !== undefined) return found
      const left = end - Date.now()
      if (left <= 0) throw new Error(`no such event within ${milliseconds} ms; the shim said: ${this.said}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left)
        const waiters = this.#waiters
        function done(): void {
          clearTimeout(timer)
          waiters.delete(done)
          resolve()
        }
        waiters.add(done)
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#cgroups) {
      killCgroup(path)
      await removeCgroup(path)
    }
    await removeCgroup(this.cgroup)
    this.client.close()
    // Its containers are dead; what it had to say of them does not matter any more.
    process.kill(this.pid, 'SIGKILL')
    endKeeper(join(this.directory, 'keeper'))
    await sleep(5)
    // Its program is mounted here.
    unmount(join(this.directory, 'engine-shim'), MNT_DETACH)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A spool's content so far, by stream; deletes what it has read. */
export class Collector {
  readonly #directory: string
  readonly #reader: SpoolReader
  readonly #hashes = { 1: createHash('sha256'), 2: createHash('sha256') }
  readonly bytes = { 1: 0, 2: 0 }
  readonly #keep: boolean
  #text = ''

  constructor(process: { readonly directory: string }, options: { readonly keepText?: boolean } = {}) {
    this.#directory = `${process.directory}/spool`
    this.#reader = new SpoolReader(this.#directory)
    this.#keep = options.keepText ?? false
  }

  /** Reads what is there, at most `maximum` pieces. @returns how many */
  read(maximum = Number.POSITIVE_INFINITY): number {
    let pieces = 0
    for (; pieces < maximum; pieces++) {
      const piece = this.#reader.next(Buffer.alloc(1024 * 1024))
      if (piece === undefined) break
      this.#hashes[piece.stream].update(piece.data)
      this.bytes[piece.stream] += piece.data.length
      if (this.#keep) this.#text += piece.data.toString('latin1')
    }
    deleteSegmentsBefore(this.#directory, this.#reader.position.segment)
    return pieces
  }

  /** The sha256 of everything read of a stream; once. */
  digest(stream: 1 | 2): string {
    return this.#hashes[stream].digest('hex')
  }

  get text(): string {
    return this.#text
  }

  close(): void {
    this.#reader.close()
  }
}

/** A process's whole output, once it has ended. */
export function output(process: { readonly directory: string }): string {
  const collector = new Collector(process, { keepText: true })
  collector.read()
  collector.close()
  return collector.text
}
