import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { pidfdOpen } from '@engine/linux/pidfd'
import { processStat } from '@engine/linux/process-stat'
import type { ShimEvent } from './messages.ts'
import { ShimConnection } from './shim-connection.ts'
import { startShim, type ShimProgram } from './start-shim.ts'

const RETRY_MILLISECONDS = 10

export interface DiallerOptions extends ShimProgram {
  /** Somebody else (systemd) starts the shim and starts it again: this one only connects. */
  readonly managed: boolean
}

/** Finds the shim that is there, or starts one, and knows whether it is still the one of before. */
export class Dialler {
  readonly #options: DiallerOptions
  readonly #onEvent: (event: ShimEvent) => void
  #shim: { readonly pid: number; readonly startTime: string; readonly pidfd: number } | undefined
  #closed = false

  constructor(options: DiallerOptions, onEvent: (event: ShimEvent) => void) {
    this.#options = options
    this.#onEvent = onEvent
  }

  /** Whether a shim has been met. */
  get met(): boolean {
    return this.#shim !== undefined
  }

  /** Of the shim that was met last. @throws EngineError unavailable when there was none */
  get pidfd(): number {
    if (this.#shim === undefined) throw new EngineError('unavailable', 'not connected to the shim')
    return this.#shim.pidfd
  }

  /** Connects, with so many milliseconds of patience; starts a shim when none is alive. @throws EngineError unavailable */
  async dial(patience: number): Promise<ShimConnection> {
    const end = Date.now() + patience
    let started = this.#options.managed
    for (;;) {
      try {
        return await ShimConnection.open(this.#options.socketPath, this.#onEvent)
      } catch (error) {
        if (this.#closed) throw error
        if (Date.now() > end) throw new EngineError('unavailable', `no shim listens at ${this.#options.socketPath}`, { cause: error })
      }
      // The one before may be on its way from one program to the next.
      if (!started && !this.#lives()) {
        startShim(this.#options)
        started = true
      }
      await sleep(RETRY_MILLISECONDS)
    }
  }

  /** Notes whom a connection is to. @returns whether it is the successor of another */
  meet({ hello: { pid, startTime } }: ShimConnection): boolean {
    const before = this.#shim
    if (before?.pid === pid && before.startTime === startTime) return false
    // Opened first: when it has gone already, the one before is still what is noted.
    this.#shim = { pid, startTime, pidfd: pidfdOpen(pid) }
    if (before === undefined) return false
    closeSync(before.pidfd)
    return true
  }

  close(): void {
    this.#closed = true
    if (this.#shim !== undefined) closeSync(this.#shim.pidfd)
    this.#shim = undefined
  }

  #lives(): boolean {
    if (this.#shim === undefined) return false
    const stat = processStat(this.#shim.pid)
    return stat !== undefined && stat.state !== 'Z' && stat.startTime === this.#shim.startTime
  }
}
