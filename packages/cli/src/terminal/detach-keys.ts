const defaultKeys = 'ctrl-p,ctrl-q'

/**
 * Reads a key sequence (`ctrl-p,ctrl-q`, `a,ctrl-]`) into bytes, as moby's term.ToBytes.
 * @throws Error naming the key that is none
 */
export function readDetachKeys(sequence: string): number[] {
  return (sequence === '' ? defaultKeys : sequence).split(',').map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1]
    if (control === '@') return 0
    if (control !== undefined) return control.charCodeAt(0) & 0x1f
    if (key.length !== 1) throw new Error(`Unknown character: '${key}'`)
    return key.charCodeAt(0)
  })
}

/**
 * Watches what a user types for the detach sequence. Keys that may begin it are held back until it is clear that they do not; the
 * daemon, which also watches, so never sees a sequence that the client has acted on.
 */
export class DetachWatch {
  readonly #keys: readonly number[]
  #matched = 0

  constructor(keys: readonly number[]) {
    this.#keys = keys
  }

  /** @returns what to send on, and whether the sequence is complete (what follows it is dropped) */
  push(input: Buffer): { readonly pass: Buffer; readonly detached: boolean } {
    const pass: number[] = []
    for (const byte of input) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.slice(0, this.#matched))
        this.#matched = 0
      }
      if (byte !== this.#keys[this.#matched]) pass.push(byte)
      else if (++this.#matched === this.#keys.length) return { pass: Buffer.from(pass), detached: true }
    }
    return { pass: Buffer.from(pass), detached: false }
  }
}
