import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { openProcess } from '@engine/linux/open-process'
import { pidfdGetfd } from '@engine/linux/pidfd'
import { end } from './keeper.ts'
import { keptUnder } from './keeper-program.ts'
import { closeAll, type SharedDescriptors } from './shared-descriptors.ts'

/** What a shim that died has left with its keeper; by run directory. Who takes a part out closes it. */
export class Legacy {
  readonly #parts = new Map<string, SharedDescriptors>()
  #keeper: number | undefined

  /**
   * Takes it, and leaves the keeper its own until `settled`.
   * @param file names the keeper; there may be none
   */
  constructor(file: string, log: (message: string) => void) {
    const keeper = findKeeper(file)
    this.#keeper = keeper?.pidfd
    if (keeper === undefined) return
    try {
      this.#take(keeper.pid, keeper.pidfd)
    } catch (error) {
      log(`what the shim before has left is lost in part: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #take(pid: number, pidfd: number): void {
    const rows = new Map<number, { directory?: string; descriptors: SharedDescriptors }>()
    for (const fd of readdirSync(`/proc/${pid}/fd`).map(Number)) {
      const kept = keptUnder(fd)
      if (kept === undefined) continue
      const row = rows.get(kept.row) ?? { descriptors: {} }
      rows.set(kept.row, row)
      if (kept.name === 'directory') row.directory = readlinkSync(`/proc/${pid}/fd/${fd}`)
      else row.descriptors = { ...row.descriptors, [kept.name]: pidfdGetfd(pidfd, fd) }
    }
    for (const { directory, descriptors } of rows.values()) {
      if (directory === undefined || this.#parts.has(directory)) closeAll(descriptors)
      else this.#parts.set(directory, descriptors)
    }
  }

  /** All that nobody has taken yet. */
  get parts(): Iterable<readonly [string, SharedDescriptors]> {
    return this.#parts
  }

  /** What there is of one process. */
  take(runDirectory: string): SharedDescriptors | undefined {
    const part = this.#parts.get(runDirectory)
    this.#parts.delete(runDirectory)
    return part
  }

  /** Another keeper has it all: ends the one before. */
  settled(): void {
    if (this.#keeper !== undefined) end(this.#keeper)
    this.#keeper = undefined
  }

  /** Closes what nobody has taken. */
  close(): void {
    for (const descriptors of this.#parts.values()) closeAll(descriptors)
    this.#parts.clear()
  }
}

/** Ends the keeper that a file names, and with it what it keeps. Only where no shim is left. */
export function endKeeper(file: string): void {
  const keeper = findKeeper(file)
  if (keeper !== undefined) end(keeper.pidfd)
}

/** The keeper that a file names, if it still is that process. */
function findKeeper(file: string): { readonly pid: number; readonly pidfd: number } | undefined {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
  const [, pid, startTime = ''] = /^(\d+) (\d+)\n$/.exec(text) ?? []
  const pidfd = pid === undefined ? undefined : openProcess({ pid: Number(pid), startTime })
  return pidfd === undefined ? undefined : { pid: Number(pid), pidfd }
}
