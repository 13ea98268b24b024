import { digestHex, endOfArchive, padding, writeEntry, type Layer, type TarEntry } from '@engine/image'
import type { ImageStores } from './image-stores.ts'

/** An entry, with its content where it has any. */
type Item = TarEntry | readonly [TarEntry, string | Buffer]

/** A tar of these very entries, however odd. */
export function tarOf(...items: readonly Item[]): Buffer {
  const parts = items.flatMap((item) => {
    const [entry, content] = 'path' in item ? [item, Buffer.alloc(0)] : [item[0], Buffer.from(item[1])]
    return [writeEntry({ ...entry, size: entry.type === 'file' ? content.length : 0 }), content, padding(content.length)]
  })
  return Buffer.concat([...parts, endOfArchive])
}

/** The layer that a tar makes. */
export async function layerOf({ content, snapshots }: ImageStores, tar: Buffer): Promise<Layer> {
  const blob = await content.ingest([tar])
  return await snapshots.createLayer({ file: content.path(blob.digest) }, [], digestHex)
}
