import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ClientInputs } from '@engine/build'
import type { FileWorkers, TarLimits } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { BuildInputsBody } from '../interface.ts'

/** Milliseconds that inputs wait for their build. */
const patience = 10 * 60_000
/** Bytes of one secret; BuildKit takes as many. */
const maxSecret = 500 << 10
/** Builds whose inputs wait at once. */
const maxWaiting = 64

/** What one build was sent besides its context. Secrets are in memory alone, and overwritten when they are done with. */
class Inputs implements ClientInputs {
  readonly secrets = new Map<string, Buffer>()
  readonly agents = new Map<string, string>()
  readonly directories = new Map<string, string>()
  /** Made for the first directory. */
  directory: string | undefined
  timer: NodeJS.Timeout | undefined
}

/** Inputs in use by a build; disposed, nothing of them is left. */
export interface TakenInputs extends ClientInputs, AsyncDisposable {}

/** Keeps what clients send for builds that they are about to ask for. An id is a secret of the client's, and good for one build. */
export class InputStore {
  readonly #parent: string
  readonly #workers: FileWorkers
  readonly #limits: TarLimits
  readonly #waiting = new Map<string, Inputs>()

  /**
   * @param parent directory for named contexts, emptied at the start of the engine
   * @param limits what their archives may be like
   */
  constructor(parent: string, workers: FileWorkers, limits: TarLimits) {
    this.#parent = parent
    this.#workers = workers
    this.#limits = limits
  }

  /** @throws EngineError invalid-argument for a secret that is too large, unavailable when too many wait */
  add(body: BuildInputsBody): string {
    if (this.#waiting.size >= maxWaiting) throw new EngineError('unavailable', 'too many builds have sent inputs and not begun')
    const inputs = new Inputs()
    for (const [id, text] of Object.entries(body.secrets)) {
      const data = Buffer.from(text, 'base64')
      if (data.length > maxSecret) throw new EngineError('invalid-argument', `invalid secret size ${data.length} of ${id}: must be less than 500KB`)
      inputs.secrets.set(id, data)
    }
    for (const [id, path] of Object.entries(body.agents)) {
      if (!path.startsWith('/')) throw new EngineError('invalid-argument', `the path of agent ${id} is not absolute`)
      inputs.agents.set(id, path)
    }
    const id = randomBytes(32).toString('hex')
    this.#waiting.set(id, inputs)
    this.#await(id, inputs)
    return id
  }

  /** Unpacks the files of a named context. @throws EngineError not-found, invalid-argument for what is no tar */
  async addDirectory(id: string, name: string, tar: Readable, signal: AbortSignal): Promise<void> {
    const inputs = this.#find(id)
    clearTimeout(inputs.timer)
    try {
      await mkdir(this.#parent, { recursive: true, mode: 0o700 })
      inputs.directory ??= await mkdtemp(join(this.#parent, 'inputs-'))
      const place = await mkdtemp(join(inputs.directory, 'context-'))
      const archive = join(place, 'archive')
      const files = join(place, 'files')
      await mkdir(files, { mode: 0o755 })
      await pipeline(tar, createWriteStream(archive, { mode: 0o600, flags: 'wx' }), { signal })
      await this.#workers.run({ kind: 'extract', file: archive, directory: files, options: { kind: 'archive', sync: false, limits: this.#limits } }, signal)
      await rm(archive)
      inputs.directories.set(name, files)
    } finally {
      this.#await(id, inputs)
    }
  }

  /** Hands inputs to their build. @throws EngineError not-found */
  take(id: string): TakenInputs {
    const inputs = this.#find(id)
    clearTimeout(inputs.timer)
    this.#waiting.delete(id)
    const { secrets, agents, directories } = inputs
    return { secrets, agents, directories, [Symbol.asyncDispose]: () => forget(inputs) }
  }

  #find(id: string): Inputs {
    const inputs = this.#waiting.get(id)
    if (inputs === undefined) throw new EngineError('not-found', 'no such build inputs: they were used, or have waited too long')
    return inputs
  }

  #await(id: string, inputs: Inputs): void {
    inputs.timer = setTimeout(() => {
      this.#waiting.delete(id)
      forget(inputs).catch(() => undefined)
    }, patience)
    inputs.timer.unref()
  }
}

async function forget({ secrets, directory }: Inputs): Promise<void> {
  for (const data of secrets.values()) data.fill(0)
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}
