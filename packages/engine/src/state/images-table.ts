import { isDigest, parseImageConfig, type Digest, type Image, type ImageConfig } from '@engine/image'
import { z } from 'zod'
import type { Database, Statement } from './database.ts'

const digest = z.string().refine((text): text is Digest => isDigest(text))

const row = z.object({
  id: digest,
  config: z.instanceof(Buffer),
  parent: z.union([digest, z.literal('')]),
  last_tag_time: z.string(),
})

/** An image in engine.db. */
export interface ImageRow {
  readonly id: Digest
  readonly config: ImageConfig
  /** Id of the image that it was made from; '' when that is not known. */
  readonly parent: Digest | ''
  /** RFC 3339; '' when it never had a name. */
  readonly lastTagTime: string
}

/** Images and their names in engine.db. Names are whole: `docker.io/library/busybox:latest`. */
export class ImagesTable {
  readonly #insert: Statement
  readonly #insertLayer: Statement
  readonly #delete: Statement<[string]>
  readonly #get: Statement<[string]>
  readonly #all: Statement<[]>
  readonly #ids: Statement<[string], { id: Digest }>
  readonly #children: Statement<[string], { id: Digest }>
  readonly #setName: Statement<[string, string]>
  readonly #setTagTime: Statement<[string, string]>
  readonly #deleteName: Statement<[string]>
  readonly #byName: Statement<[string], { image_id: Digest }>
  readonly #names: Statement<[string], { name: string }>
  readonly #allNames: Statement<[], { name: string; image_id: Digest }>
  /** Configurations never change under their digest, and are read for every container that starts. */
  readonly #parsed = new Map<Digest, ImageConfig>()

  constructor(db: Database) {
    this.#insert = db.prepare("INSERT INTO images (id, config, parent, last_tag_time) VALUES (?, ?, ?, '') ON CONFLICT (id) DO NOTHING")
    this.#insertLayer = db.prepare('INSERT INTO image_layers (image_id, position, layer_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
    this.#delete = db.prepare('DELETE FROM images WHERE id = ?')
    this.#get = db.prepare('SELECT * FROM images WHERE id = ?')
    this.#all = db.prepare('SELECT * FROM images')
    this.#ids = db.prepare("SELECT id FROM images WHERE id GLOB ? || '*' LIMIT 2")
    this.#children = db.prepare('SELECT id FROM images WHERE parent = ?')
    this.#setName = db.prepare('INSERT INTO image_names (name, image_id) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id')
    this.#setTagTime = db.prepare('UPDATE images SET last_tag_time = ? WHERE id = ?')
    this.#deleteName = db.prepare('DELETE FROM image_names WHERE name = ?')
    this.#byName = db.prepare('SELECT image_id FROM image_names WHERE name = ?')
    this.#names = db.prepare('SELECT name FROM image_names WHERE image_id = ? ORDER BY name')
    this.#allNames = db.prepare('SELECT name, image_id FROM image_names ORDER BY name')
  }

  /**
   * Notes an image whose layers are noted; one that is noted already stays as it is. In a transaction.
   * @param layers ids, lowest first
   */
  insert(image: Image, parent: Digest | '', layers: readonly string[]): void {
    this.#insert.run(image.id, image.bytes, parent)
    for (const [position, layer] of layers.entries()) this.#insertLayer.run(image.id, position, layer)
  }

  /** Takes away an image and its names. */
  delete(id: Digest): void {
    this.#delete.run(id)
    this.#parsed.delete(id)
  }

  get(id: string): ImageRow | undefined {
    const found = this.#get.get(id)
    return found === undefined ? undefined : this.#read(found)
  }

  /** An image's configuration, as it came. */
  bytes(id: Digest): Buffer | undefined {
    const found = this.#get.get(id)
    return found === undefined ? undefined : row.parse(found).config
  }

  all(): ImageRow[] {
    return this.#all.all().map((raw) => this.#read(raw))
  }

  /** Ids that begin with `sha256:` and these digits; two at most, which tell that it is ambiguous. */
  idsBeginning(digits: string): Digest[] {
    return this.#ids.all(`sha256:${digits}`).map(({ id }) => id)
  }

  /** Images that were made from this one. */
  children(id: Digest): Digest[] {
    return this.#children.all(id).map(({ id: child }) => child)
  }

  /** Gives an image a name, and takes it from another. */
  setName(name: string, id: Digest, at: string): void {
    this.#setName.run(name, id)
    this.#setTagTime.run(at, id)
  }

  /** Gives an image a name that nobody chose here: one that was pulled. */
  setPulledName(name: string, id: Digest): void {
    this.#setName.run(name, id)
  }

  deleteName(name: string): void {
    this.#deleteName.run(name)
  }

  /** The image of a name. */
  byName(name: string): Digest | undefined {
    return this.#byName.get(name)?.image_id
  }

  /** An image's names, sorted. */
  names(id: Digest): string[] {
    return this.#names.all(id).map(({ name }) => name)
  }

  /** All names by image. */
  namesByImage(): Map<Digest, string[]> {
    const byImage = new Map<Digest, string[]>()
    for (const { name, image_id: id } of this.#allNames.all()) byImage.set(id, [...(byImage.get(id) ?? []), name])
    return byImage
  }

  #read(raw: unknown): ImageRow {
    const { id, config: bytes, parent, last_tag_time: lastTagTime } = row.parse(raw)
    const config = this.#parsed.get(id) ?? parseImageConfig(bytes).config
    this.#parsed.set(id, config)
    return { id, config, parent, lastTagTime }
  }
}
