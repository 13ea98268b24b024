import { EngineError } from '@engine/linux'

/** ctrl-p, ctrl-q */
export const DEFAULT_DETACH_KEYS: readonly number[] = [16, 17]

const NAMED = new Map<string, number>([['DEL', 127]])
for (const [index, name] of [...'@abcdefghijklmnopqrstuvwxyz[\\]^_'].entries()) NAMED.set(`ctrl-${name}`, index)

/**
 * Detach keys as `--detach-keys` has them: `ctrl-p,ctrl-q`, `ctrl-x,x`, `DEL` (moby/term's ToBytes).
 * @param of whose they are: Docker has different words for an exec, and calls it an error of its own
 * @returns the keys' bytes; the default for an empty text
 * @throws EngineError invalid-argument (internal for an exec) in Docker's words
 */
export function parseDetachKeys(text: string | undefined, of: 'container' | 'exec' = 'container'): readonly number[] {
  if (text === undefined || text === '') return DEFAULT_DETACH_KEYS
  return text.split(',').map((key) => {
    const code = NAMED.get(key) ?? (Buffer.byteLength(key) === 1 ? key.charCodeAt(0) : undefined)
    if (code === undefined) {
      throw new EngineError('invalid-argument', `Invalid ${of === 'container' ? 'detach' : 'escape'} keys (${text}) provided`)
    }
    return code
  })
}

/** Looks for the detach keys in what a client types. Keys that may be the beginning are held back until it is known. */
export class DetachKeyScanner {
  readonly #keys: readonly number[]
  #matched = 0

  constructor(keys: readonly number[]) {
    this.#keys = keys
  }

  /** @returns what goes to the process, and whether the keys were there: then what follows them is dropped */
  scan(input: Buffer): { readonly data: Buffer; readonly detached: boolean } {
    const data: number[] = []
    for (const byte of input) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        data.push(...this.#keys.slice(0, this.#matched))
        this.#matched = 0
      }
      if (byte !== this.#keys[this.#matched]) {
        data.push(byte)
        continue
      }
      this.#matched += 1
      if (this.#matched === this.#keys.length) return { data: Buffer.from(data), detached: true }
    }
    return { data: Buffer.from(data), detached: false }
  }
}
