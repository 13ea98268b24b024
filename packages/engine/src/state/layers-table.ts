import { isDigest, type Digest } from '@engine/image'
import { z } from 'zod'
import type { Database, Statement } from './database.ts'

const digest = z.string().refine((text): text is Digest => isDigest(text))

const row = z.object({
  /** Digits of the chain ID; the name of the directory under overlay2/. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  diff_id: digest,
  size: z.number(),
  tar_size: z.number(),
  blob: digest.nullable(),
  blob_size: z.number().nullable(),
  compression: z.string().nullable(),
})

/** A layer under overlay2/. */
export interface LayerRow {
  /** Digits of its chain ID. */
  readonly id: string
  readonly diffId: Digest
  /** Bytes of its files, and of its uncompressed tar. */
  readonly size: number
  readonly tarSize: number
  /** Its tar as it came, when it came as one. */
  readonly blob?: { readonly digest: Digest; readonly size: number; readonly compression: string } | undefined
}

/** Layers in engine.db. */
export class LayersTable {
  readonly #insert: Statement
  readonly #setBlob: Statement
  readonly #delete: Statement<[string]>
  readonly #get: Statement<[string]>
  readonly #all: Statement<[]>
  readonly #ofImage: Statement<[string]>
  readonly #byImage: Statement<[]>
  readonly #unused: Statement<[]>

  constructor(db: Database) {
    this.#insert = db.prepare('INSERT INTO layers (id, diff_id, size, tar_size, blob, blob_size, compression) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING')
    this.#setBlob = db.prepare('UPDATE layers SET blob = ?, blob_size = ?, compression = ? WHERE id = ?')
    this.#delete = db.prepare('DELETE FROM layers WHERE id = ?')
    this.#get = db.prepare('SELECT * FROM layers WHERE id = ?')
    this.#all = db.prepare('SELECT * FROM layers')
    this.#ofImage = db.prepare('SELECT layers.* FROM image_layers JOIN layers ON layers.id = layer_id WHERE image_id = ? ORDER BY position')
    this.#byImage = db.prepare('SELECT DISTINCT image_id, layers.* FROM image_layers JOIN layers ON layers.id = layer_id')
    this.#unused = db.prepare('SELECT * FROM layers WHERE id NOT IN (SELECT layer_id FROM image_layers)')
  }

  /** Notes a layer; one that is noted already stays as it is. */
  insert({ id, diffId, size, tarSize, blob }: LayerRow): void {
    this.#insert.run(id, diffId, size, tarSize, blob?.digest ?? null, blob?.size ?? null, blob?.compression ?? null)
  }

  /** Notes what a layer's tar is as. */
  setBlob(id: string, { digest: blob, size, compression }: NonNullable<LayerRow['blob']>): void {
    this.#setBlob.run(blob, size, compression, id)
  }

  delete(id: string): void {
    this.#delete.run(id)
  }

  get(id: string): LayerRow | undefined {
    const found = this.#get.get(id)
    return found === undefined ? undefined : read(found)
  }

  all(): LayerRow[] {
    return this.#all.all().map(read)
  }

  /** An image's layers, lowest first. */
  ofImage(image: string): LayerRow[] {
    return this.#ofImage.all(image).map(read)
  }

  /** The layers of every image that has any. A layer that an image has twice counts once. */
  byImage(): Map<Digest, LayerRow[]> {
    const byImage = new Map<Digest, LayerRow[]>()
    for (const raw of this.#byImage.all()) {
      const { image_id: image } = raw as { image_id: Digest }
      byImage.set(image, [...(byImage.get(image) ?? []), read(raw)])
    }
    return byImage
  }

  /** Layers that no image has. */
  withoutImage(): LayerRow[] {
    return this.#unused.all().map(read)
  }
}

function read(raw: unknown): LayerRow {
  const { id, diff_id: diffId, size, tar_size: tarSize, blob, blob_size: blobSize, compression } = row.parse(raw)
  return { id, diffId, size, tarSize, ...(blob === null ? {} : { blob: { digest: blob, size: blobSize ?? 0, compression: compression ?? 'none' } }) }
}
