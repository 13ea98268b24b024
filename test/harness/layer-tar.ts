import { endOfArchive, newEntry, padding, writeEntry } from '@engine/image'

/** The tar of a layer that has these files and the directories above them. */
export function layerTar(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const pieces: Buffer[] = []
  const directories = new Set<string>()
  for (const [path, value] of Object.entries(files)) {
    const parts = path.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = `${parts.slice(0, depth).join('/')}/`
      if (directories.has(directory)) continue
      directories.add(directory)
      pieces.push(writeEntry(newEntry('directory', directory, { mode: 0o755 })))
    }
    const bytes = Buffer.from(value)
    pieces.push(writeEntry(newEntry('file', path, { mode: 0o644, size: bytes.length })), bytes, padding(bytes.length))
  }
  return Buffer.concat([...pieces, endOfArchive])
}
