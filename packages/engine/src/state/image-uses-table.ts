import { isDigest, type Digest } from '@engine/image'
import { z } from 'zod'
import { withoutSync, type Database, type Statement } from './database.ts'

const row = z.object({ image_id: z.string().refine((text): text is Digest => isDigest(text)), used_at: z.number() })

/** Milliseconds within which a further use of an image is not written again: a start of a container must not wait for it. */
const granularity = 60_000

/** When images were last of use, in engine.db. What a power cut loses of it is at most the order of a minute. */
export class ImageUsesTable {
  readonly #db: Database
  readonly #set: Statement<[number, string]>
  readonly #all: Statement<[]>
  readonly #written = new Map<string, number>()

  constructor(db: Database) {
    this.#db = db
    // An image may have gone between its use and this.
    this.#set = db.prepare('INSERT INTO image_uses (image_id, used_at) SELECT id, ? FROM images WHERE id = ? ON CONFLICT (image_id) DO UPDATE SET used_at = excluded.used_at')
    this.#all = db.prepare('SELECT image_id, used_at FROM image_uses')
  }

  /** Notes that an image is of use: a container is made of it or started, a build begins from it, it was pulled. @param at milliseconds since the epoch */
  note(image: string, at: number): void {
    const last = this.#written.get(image)
    if (last !== undefined && at - last < granularity && at >= last) return
    this.#written.set(image, at)
    if (this.#db.inTransaction) this.#set.run(at, image)
    else withoutSync(this.#db, () => this.#set.run(at, image))
  }

  /** It is gone: should it come again, that is a use. */
  forget(image: string): void {
    this.#written.delete(image)
  }

  /** Milliseconds since the epoch by image. */
  all(): Map<Digest, number> {
    return new Map(this.#all.all().map((found) => {
      const { image_id: id, used_at: at } = row.parse(found)
      return [id, at]
    }))
  }
}
