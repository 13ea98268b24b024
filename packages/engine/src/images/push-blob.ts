import { createHash } from 'node:crypto'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { mediaTypes, type Digest } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { LayerRow } from '../state/layers-table.ts'
import type { ImageStore } from './image-store.ts'

/** A layer as it is pushed; `digest` is undefined until it has been compressed. */
export interface LayerBlob {
  readonly diffId: Digest
  readonly digest?: Digest
  readonly size: number
  readonly mediaType: string
  /** Of a layer that is to be compressed. */
  readonly row?: LayerRow
}

/** What a layer is pushed as: its tar as it came, if it came compressed in a way that registries know; else it has to be compressed. */
export function layerBlob(row: LayerRow): LayerBlob {
  const { blob, diffId } = row
  if (blob?.compression === 'gzip') return { diffId, digest: blob.digest, size: blob.size, mediaType: mediaTypes.dockerLayer }
  if (blob?.compression === 'zstd') return { diffId, digest: blob.digest, size: blob.size, mediaType: `${mediaTypes.ociLayer}+zstd` }
  return { diffId, size: row.tarSize, mediaType: mediaTypes.dockerLayer, row }
}

/**
 * Compresses a layer, once for all pushes: the blob is kept, so that the layer has the same digest from then on. It takes the place of a
 * tar that came uncompressed, which can be made again of the files.
 * @param onProgress told of uncompressed bytes
 * @throws EngineError internal when the files are not what the layer's digest says any more
 */
export async function compressLayer(store: ImageStore, row: LayerRow, onProgress: (bytes: number) => void, signal: AbortSignal): Promise<{ readonly digest: Digest; readonly size: number }> {
  const known = store.layers.get(row.id)?.blob
  if (known?.compression === 'gzip') return known
  const hash = createHash('sha256')
  let read = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      hash.update(chunk)
      read += chunk.length
      onProgress(read)
      callback(null, chunk)
    },
  })
  const source: Readable = row.blob?.compression === 'none' && (await store.content.has(row.blob.digest)) ? store.content.stream(row.blob.digest) : store.overlay.archiveStream(row.id)
  const gzip = createGzip({ chunkSize: 1 << 18 })
  const [, blob] = await Promise.all([pipeline(source, counted, gzip, { signal }), store.content.ingest(gzip as AsyncIterable<Buffer>)])
  if (`sha256:${hash.digest('hex')}` !== row.diffId) {
    await store.content.remove(blob.digest)
    throw new EngineError('internal', `the files of layer ${row.id} are not those that its digest ${row.diffId} says`)
  }
  await store.setBlob(row, { ...blob, compression: 'gzip' })
  return blob
}
