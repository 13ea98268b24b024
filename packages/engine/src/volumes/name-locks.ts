import { Mutex } from '../containers/mutex.ts'

/** Lets one piece of work at a time have a name. */
export class NameLocks {
  readonly #locks = new Map<string, Mutex>()

  /** Runs `work` when all that asked for one of the names before are done. Not to be nested with a name of the same. */
  run<T>(names: readonly string[], work: () => Promise<T> | T): Promise<T> {
    // In one order, so that no two wait for each other.
    return this.#run([...new Set(names)].sort(), work)
  }

  async #run<T>([name, ...others]: readonly string[], work: () => Promise<T> | T): Promise<T> {
    if (name === undefined) return work()
    const lock = this.#locks.get(name) ?? new Mutex()
    this.#locks.set(name, lock)
    try {
      return await lock.run(() => this.#run(others, work))
    } finally {
      if (!lock.busy) this.#locks.delete(name)
    }
  }
}
