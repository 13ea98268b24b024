import { EngineError } from '@engine/linux'

/** What is being done with volumes' files, that nobody may take them away from. */
export class VolumeWork {
  readonly #work = new Map<string, readonly string[]>()

  /** @param what as others are told. @returns what ends it */
  begin(name: string, what: string): Disposable {
    this.#work.set(name, [...(this.#work.get(name) ?? []), what])
    return { [Symbol.dispose]: () => this.#end(name, what) }
  }

  /** @throws EngineError conflict while something is done with a volume's files */
  refuse(verb: string, name: string): void {
    const work = this.#work.get(name)
    if (work !== undefined) throw new EngineError('conflict', `${verb} ${name}: volume is in use - [${work.join(', ')}]`)
  }

  #end(name: string, what: string): void {
    const work = this.#work.get(name) ?? []
    const left = work.toSpliced(work.indexOf(what), 1)
    if (left.length === 0) this.#work.delete(name)
    else this.#work.set(name, left)
  }
}
