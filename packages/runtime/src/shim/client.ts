import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError, isError } from '@engine/linux'
import { pidfdGetfd, pidfdsTellExits } from '@engine/linux/pidfd'
import type { ProcessEnd } from '@engine/linux/wait'
import { shimBuild } from './build.ts'
import type { AdoptRequest, ShimClient, ShimProcess } from './client-types.ts'
import { Dialler, type DiallerOptions } from './dialler.ts'
import { HeldProcesses } from './held-processes.ts'
import { keyOf, keyText } from './key.ts'
import type { ExecRequest, ProcessKey, ShimEvent, StartRequest, Started } from './messages.ts'
import type { ShimConnection } from './shim-connection.ts'
import { checkShimProgram } from './start-shim.ts'
import { ToldEnds } from './told-ends.ts'

export interface ShimOptions extends DiallerOptions {
  /** How long a shim may take to listen, and a request to wait for it, in milliseconds; 30 seconds by default. */
  readonly patience?: number
  readonly log: (message: string) => void
}

/** An overloaded machine has taken more than ten seconds to start a program. */
const START_MILLISECONDS = 30_000
const RETRY_MILLISECONDS = 10
/** How many shims may die, one after the other, while something is asked for that may be asked for twice. */
const attempts = 5
/** Between two attempts to find the next shim. */
const RECONNECT_MILLISECONDS = 200

/**
 * Connects to the shim, after starting one if need be.
 * @throws EngineError unavailable when there is none in time
 */
export async function connectShim(options: ShimOptions): Promise<ShimClient> {
  const client = new Client(options)
  await client.connect()
  return client
}

class Client implements ShimClient {
  readonly #options: ShimOptions
  readonly #held = new HeldProcesses()
  readonly #dialler: Dialler
  readonly #eventListeners: ((event: ShimEvent) => void)[] = []
  readonly #lostListeners: ((adopted: readonly ShimProcess[]) => void)[] = []
  /** The connection, or the way to the next one. */
  #connection: Promise<ShimConnection>
  /** The shim is another one than before, and has not adopted everything yet. */
  #successor = false
  /** How processes end while there is no shim. */
  #ends: ToldEnds | undefined
  #closed = false

  constructor(options: ShimOptions) {
    this.#options = options
    this.#dialler = new Dialler(options, (event) => this.#event(event))
    this.#connection = Promise.reject(new EngineError('unavailable', 'not connected to the shim'))
    this.#connection.catch(() => undefined)
  }

  get #patience(): number {
    return this.#options.patience ?? START_MILLISECONDS
  }

  async connect(): Promise<void> {
    const end = Date.now() + this.#patience
    for (;;) {
      this.#connection = this.#open()
      try {
        await this.#connection
        return
      } catch (error) {
        // One that was found may have died before it answered; there will be another.
        if (Date.now() > end) throw error
      }
      await sleep(RETRY_MILLISECONDS)
    }
  }

  async start(request: StartRequest): Promise<Started> {
    return this.#born('start', request, request.spec.linux.cgroupsPath, request.spec.process.terminal)
  }

  async exec(request: ExecRequest): Promise<Started> {
    return this.#born('exec', request, request.cgroupsPath, request.process.terminal)
  }

  async adopt(request: AdoptRequest): Promise<void> {
    // Held before it is adopted: should the shim die of it, the next one adopts it as well.
    const held = this.#held.open({ ...request, terminal: false })
    try {
      await this.#repeatable('adopt', held.adoption())
    } catch (error) {
      if (!isError(error, 'unavailable')) this.#held.letGo(request)
      throw error
    }
    const adopted = (await this.list()).find((process) => keyText(process) === keyText(request))
    if (adopted?.status !== undefined) this.#held.letGo(request)
    if (adopted?.status !== undefined || adopted?.terminal !== true) return
    // Its master is not to be had by a name: the shim got it from the keeper of the one before.
    this.#held.letGo(request)
    await this.#held.share(await this.#connection, adopted)
  }

  async closeStdin(key: ProcessKey): Promise<void> {
    this.#held.get(key)?.closeStdin()
    await this.#repeatable('closeStdin', keyOf(key))
  }

  async terminal(key: ProcessKey): Promise<number> {
    const master = await this.#repeatable<number>('terminal', keyOf(key))
    return pidfdGetfd(this.#dialler.pidfd, master)
  }

  async resize(key: ProcessKey, rows: number, columns: number): Promise<void> {
    await this.#repeatable('resize', { ...keyOf(key), rows, columns })
  }

  async release(key: ProcessKey): Promise<void> {
    this.#held.letGo(key)
    await this.#repeatable('release', keyOf(key))
  }

  list(): Promise<readonly ShimProcess[]> {
    return this.#repeatable('list')
  }

  async renounce(): Promise<void> {
    try {
      await this.#repeatable('renounce')
    } catch (error) {
      // A shim from before keeps nothing.
      if (!isError(error, 'not-implemented')) throw error
    }
  }

  /** A request that may be made twice: where the connection is lost meanwhile, the next shim (or the one after it) is asked. */
  async #repeatable<T>(method: string, params?: unknown): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request<T>(method, params)
      } catch (error) {
        if (attempt === attempts || !isError(error, 'unavailable')) throw error
        await sleep(RECONNECT_MILLISECONDS / 2)
      }
    }
  }

  onEvent(listener: (event: ShimEvent) => void): void {
    this.#eventListeners.push(listener)
  }

  onLost(listener: (adopted: readonly ShimProcess[]) => void): void {
    this.#lostListeners.push(listener)
  }

  async outdated(): Promise<boolean> {
    const { program, nodeBinary } = this.#options
    const installed = shimBuild(program, nodeBinary)
    const { hello } = await this.#connection
    return installed !== undefined && hello.build !== installed
  }

  async upgrade(path: string): Promise<void> {
    await checkShimProgram(this.#options.nodeBinary, path)
    const before = await this.#connection
    // What is asked for meanwhile waits for the new program.
    this.#connection = this.#upgraded(before, path)
    const { hello } = await this.#connection
    if (hello.generation <= before.hello.generation || hello.program !== path) throw new EngineError('internal', `the shim is still ${hello.program}`)
  }

  async #upgraded(before: ShimConnection, path: string): Promise<ShimConnection> {
    try {
      await before.request('upgrade', { path })
      // Nothing closes the connection if the new program could not be executed.
      await Promise.race([before.closed, sleep(START_MILLISECONDS, undefined, { ref: false })])
    } finally {
      if (!before.ended) this.#connection = Promise.resolve(before)
    }
    return this.#connection
  }

  close(): void {
    this.#closed = true
    this.#connection.then((connection) => connection.close(), () => undefined)
    this.#held.close()
    this.#dialler.close()
    this.#unlisten()
  }

  async #request<T>(method: string, params?: unknown): Promise<T> {
    const connection = await this.#connection
    return connection.request<T>(method, params)
  }

  /** Has a process made, and holds it from the moment at which its start is known here. */
  async #born(method: 'start' | 'exec', request: StartRequest | ExecRequest, cgroupsPath: string, terminal: boolean): Promise<Started> {
    const { runDirectory, directory, stdin } = request
    const connection = await this.#connection
    const started = await connection.request<Started>(method, request)
    const { pid, startTime } = started
    // Without waiting for anything: when the connection ends next, the process is known to the client, and the next shim adopts it.
    this.#held.hold(connection, { ...keyOf(request), pid, startTime, runDirectory, directory, cgroupsPath, terminal, stdin: stdin && !terminal })
    return started
  }

  /** Without it descriptors are got by their names, later. */
  async #introduceInbox(connection: ShimConnection): Promise<void> {
    try {
      await connection.inbox.introduce((socket) => connection.request('inbox', { socket }))
    } catch (error) {
      if (isError(error, 'unavailable')) throw error
      this.#options.log(`the shim passes no descriptors: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  /**
   * Connects; a shim that is not the one before has everything to adopt. What happened while there was no connection is told
   * as if it happened now.
   */
  async #open(): Promise<ShimConnection> {
    const again = this.#dialler.met
    const connection = await this.#dialler.dial(this.#patience)
    try {
      if (this.#dialler.meet(connection)) this.#successor = true
      await this.#introduceInbox(connection)
      if (this.#successor) {
        for (const [key, adoption] of this.#held.adoptions((pid) => this.#told(pid))) {
          await connection.request('adopt', adoption).catch((error: unknown) => {
            this.#options.log(`${key}: not adopted: ${error instanceof Error ? error.message : String(error)}`)
          })
        }
      }
      const processes = await connection.request<readonly ShimProcess[]>('list')
      for (const process of processes) {
        const { pid, status } = process
        if (again) this.#event({ event: 'output', ...keyOf(process) })
        if (status !== undefined && this.#held.has(process)) this.#event({ event: 'exit', pid, status, ...keyOf(process) })
      }
      await Promise.all(processes.map((process) => this.#held.share(connection, process)))
      if (this.#successor) for (const listener of this.#lostListeners) listener(processes)
      this.#successor = false
      this.#unlisten()
    } catch (error) {
      connection.close()
      throw error
    }
    void connection.closed.then(() => this.#reconnect())
    return connection
  }

  /** Goes on for as long as it takes; who asks for something meanwhile waits for one attempt, and is told when that failed. */
  #reconnect(): void {
    if (this.#closed) return
    this.#listen()
    this.#connection = this.#open()
    this.#connection.catch((error: unknown) => {
      if (this.#closed) return
      this.#options.log(`no shim, trying again: ${error instanceof Error ? error.message : String(error)}`)
      setTimeout(() => this.#reconnect(), RECONNECT_MILLISECONDS).unref()
    })
  }

  /** Nobody is the parent of what ends now: where its pidfd will not tell how, the kernel is asked to. */
  #listen(): void {
    if (pidfdsTellExits || this.#ends !== undefined) return
    try {
      this.#ends = new ToldEnds((pid) => this.#held.hasPid(pid))
    } catch (error) {
      this.#options.log(`how processes end while there is no shim will not be known: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #unlisten(): void {
    this.#ends?.[Symbol.dispose]()
    this.#ends = undefined
  }

  /** How a process has ended since there was no shim. */
  #told(pid: number): ProcessEnd | undefined {
    this.#ends?.read()
    return this.#ends?.find(pid)
  }

  #event(event: ShimEvent): void {
    if (event.event === 'exit') this.#held.letGo(event)
    for (const listener of this.#eventListeners) listener(event)
  }
}
