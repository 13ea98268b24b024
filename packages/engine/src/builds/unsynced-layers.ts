import type { Digest, FileWorkers, OverlayStore } from '@engine/image'
import { z } from 'zod'
import type { ImageStore } from '../images/image-store.ts'
import type { EngineOptions } from '../interface.ts'
import { transaction, withoutSync, type Database } from '../state/database.ts'
import type { Intents } from '../state/intents.ts'

/** The operation of an intent that says: an image of a build's is perhaps not on the disk. */
export const unsyncedLayer = 'build layer'

const detail = z.object({ boot: z.string() })

/** Milliseconds that layers wait to be written together. */
const patience = 1000

export interface UnsyncedParts {
  readonly db: Database
  readonly intents: Intents
  readonly overlay: OverlayStore
  readonly images: ImageStore
  /** For what may take long: flushing waits for everything that anybody has written to the file system. */
  readonly workers: FileWorkers
  /** Changes with every boot of the machine. */
  readonly bootId: string
  readonly log: EngineOptions['log']
}

/**
 * Images that builds have made and that are perhaps not on the disk yet: no step waits for the disk. They are flushed together, a
 * moment later. Each is noted in the transaction that makes it, and forgotten after the flush; what is noted of an earlier boot of the
 * machine is compared with its digests, and removed when a power cut has damaged it. A crash of engined alone loses nothing.
 */
export class UnsyncedLayers {
  readonly #parts: UnsyncedParts
  #noted: number[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(parts: UnsyncedParts) {
    this.#parts = parts
  }

  /** Notes an image, inside the transaction that makes it. */
  note(image: Digest): void {
    const { intents, bootId } = this.#parts
    this.#noted.push(intents.note(unsyncedLayer, image, { boot: bootId }))
    this.#begin()
  }

  /** Writes what is noted to the disk. */
  async flush(): Promise<void> {
    const { db, intents, overlay, workers } = this.#parts
    clearTimeout(this.#timer)
    this.#timer = undefined
    const noted = this.#noted
    this.#noted = []
    if (noted.length === 0) return
    await workers.run({ kind: 'sync', directory: overlay.root })
    withoutSync(db, () => transaction(db, () => noted.forEach((id) => intents.end(id))))
  }

  #begin(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.flush().catch((error: unknown) => this.#parts.log('warn', { error: String(error) }, 'layers of builds could not be written to the disk'))
    }, patience).unref()
  }

  /** At the start, before anything is built: looks at what was noted and not flushed. */
  async check(): Promise<void> {
    const { intents, bootId, images, log } = this.#parts
    for (const { id, operation, subject, detail: noted } of intents.pending()) {
      if (operation !== unsyncedLayer) continue
      this.#noted.push(id)
      const image = images.images.get(subject)
      if (image === undefined || detail.parse(noted).boot === bootId || (await this.#isWhole(image.id))) continue
      log('error', { image: subject }, 'an image of a build was damaged when the machine went down, and is removed')
      await this.#remove(image.id)
    }
    if (this.#noted.length > 0) this.#begin()
  }

  /** Its configuration and its topmost layer; those below are noted with images of their own. */
  async #isWhole(id: Digest): Promise<boolean> {
    const { overlay, images } = this.#parts
    try {
      await images.content.read(id)
      const stored = images.get(id)
      const [top] = stored?.layers ?? []
      return top === undefined || (overlay.isReadable(top) && (await overlay.archive(top)).diffId === stored?.config.rootfs.diff_ids.at(-1))
    } catch {
      return false
    }
  }

  /** With everything that was made from it. */
  async #remove(id: Digest): Promise<void> {
    const { images } = this.#parts
    for (const child of images.images.children(id)) await this.#remove(child)
    if (images.images.get(id) !== undefined) await images.delete(id)
  }
}
