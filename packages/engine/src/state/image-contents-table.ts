import { isDigest, type Digest } from '@engine/image'
import { z } from 'zod'
import type { Database, Statement } from './database.ts'

const digest = z.string().refine((text): text is Digest => isDigest(text))
const roles = ['index', 'manifest', 'layer', 'attachment'] as const
const row = z.object({ manifest: digest, digest, media_type: z.string(), size: z.number(), role: z.enum(roles) })

/** A blob that an image has in the content store, besides its configuration. */
export interface ImageContent {
  /** The image's manifest that it belongs to. */
  readonly manifest: Digest
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
  /** `attachment`: of an index, what is about the image without being one (an attestation), or a blob of that. */
  readonly role: (typeof roles)[number]
}

/** Manifests of images with their blobs, blobs that are being fetched, and where blobs are known to be; in engine.db. */
export class ImageContentsTable {
  readonly #insert: Statement
  readonly #ofImage: Statement<[string]>
  readonly #blobs: Statement<[], { digest: Digest }>
  readonly #fetch: Statement<[string, number]>
  readonly #endFetch: Statement<[string]>
  readonly #fetchedBefore: Statement<[number], { digest: Digest }>
  readonly #isFetched: Statement<[string]>
  readonly #note: Statement<[string, string]>
  readonly #repositories: Statement<[string], { repository: string }>
  readonly #forgetRepositories: Statement<[]>

  constructor(db: Database) {
    this.#insert = db.prepare('INSERT INTO image_contents (image_id, manifest, digest, media_type, size, role) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
    this.#ofImage = db.prepare('SELECT manifest, digest, media_type, size, role FROM image_contents WHERE image_id = ?')
    this.#blobs = db.prepare('SELECT digest FROM image_contents UNION SELECT blob FROM layers WHERE blob IS NOT NULL UNION SELECT digest FROM fetched_blobs')
    this.#fetch = db.prepare('INSERT INTO fetched_blobs (digest, fetched_at) VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET fetched_at = excluded.fetched_at')
    this.#endFetch = db.prepare('DELETE FROM fetched_blobs WHERE digest = ?')
    this.#fetchedBefore = db.prepare('SELECT digest FROM fetched_blobs WHERE fetched_at < ?')
    this.#isFetched = db.prepare('SELECT 1 FROM fetched_blobs WHERE digest = ?')
    this.#note = db.prepare('INSERT INTO blob_repositories (digest, repository) VALUES (?, ?) ON CONFLICT DO NOTHING')
    this.#repositories = db.prepare('SELECT repository FROM blob_repositories WHERE digest = ? ORDER BY repository')
    this.#forgetRepositories = db.prepare('DELETE FROM blob_repositories WHERE digest NOT IN (SELECT digest FROM image_contents UNION SELECT blob FROM layers WHERE blob IS NOT NULL)')
  }

  /** Notes what an image has; the image is noted already. */
  insert(image: Digest, { manifest, digest: blob, mediaType, size, role }: ImageContent): void {
    this.#insert.run(image, manifest, blob, mediaType, size, role)
  }

  ofImage(image: Digest): ImageContent[] {
    return this.#ofImage.all(image).map((raw) => {
      const { media_type: mediaType, ...rest } = row.parse(raw)
      return { ...rest, mediaType }
    })
  }

  /** Every blob that an image or a layer has, or that a pull has fetched. Configurations are not among them. */
  blobs(): Set<Digest> {
    return new Set(this.#blobs.all().map(({ digest: blob }) => blob))
  }

  /** A blob is about to be fetched: what there is of it is kept from now on. @param now milliseconds since the epoch */
  beginFetch(blob: Digest, now: number): void {
    this.#fetch.run(blob, now)
  }

  /** It belongs to an image now, or is not wanted any more. */
  endFetch(blob: Digest): void {
    this.#endFetch.run(blob)
  }

  isFetched(blob: Digest): boolean {
    return this.#isFetched.get(blob) !== undefined
  }

  /** Blobs whose last attempt to be fetched was begun before a time. */
  fetchedBefore(time: number): Digest[] {
    return this.#fetchedBefore.all(time).map(({ digest: blob }) => blob)
  }

  /** Notes that a registry has a blob. @param repository with its domain: `docker.io/library/busybox` */
  noteRepository(blob: Digest, repository: string): void {
    this.#note.run(blob, repository)
  }

  repositories(blob: Digest): string[] {
    return this.#repositories.all(blob).map(({ repository }) => repository)
  }

  /** Forgets where blobs are that no image has any more. */
  forgetRepositories(): void {
    this.#forgetRepositories.run()
  }
}
