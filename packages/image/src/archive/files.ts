import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { digestHex, type Digest } from '../digest.ts'
import type { Unpacked, UnpackedFile } from './unpack.ts'

/** Links that lead to links are followed so far. */
const maxLinks = 8

/** Largest document of an archive that is read, 4 MiB as registries allow for one. */
const maxDocument = 4 << 20

/** The files of an unpacked image archive by their paths in it. */
export class ArchiveFiles {
  readonly #files: ReadonlyMap<string, UnpackedFile>
  readonly #links: ReadonlyMap<string, string>

  constructor({ files, links }: Unpacked) {
    this.#files = new Map(files.map((file) => [file.path, file]))
    this.#links = new Map(links.map(({ path, target }) => [path, target]))
  }

  /** @param path as a document of the archive writes it; links are followed, within the archive */
  find(path: string): UnpackedFile | undefined {
    let cleaned = path.split('/').filter((part) => part !== '' && part !== '.').join('/')
    for (let links = 0; links <= maxLinks; links++) {
      const found = this.#files.get(cleaned)
      if (found !== undefined) return verified(found)
      const target = this.#links.get(cleaned)
      if (target === undefined) return undefined
      cleaned = target
    }
    throw new EngineError('invalid-argument', `too many links in the image archive: ${JSON.stringify(path)}`)
  }

  /** @throws EngineError invalid-argument when it is not there */
  get(path: string): UnpackedFile {
    const found = this.find(path)
    if (found === undefined) throw new EngineError('invalid-argument', `open ${path}: no such file or directory in the image archive`)
    return found
  }

  /** A blob of an OCI layout; undefined when it is not there, as with layers that an archive leaves out. */
  findBlob(digest: Digest): UnpackedFile | undefined {
    return this.find(blobPath(digest))
  }

  /** A small file's bytes. @throws EngineError invalid-argument when it is not there, or too large for a document */
  read(file: UnpackedFile): Buffer {
    if (file.size > maxDocument) throw new EngineError('invalid-argument', `${file.path} of the image archive is larger than ${maxDocument} bytes`)
    return readFileSync(file.file)
  }
}

/** Where an OCI layout has a blob. */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`
}

/** What lies under the name of a digest must be that. */
function verified(file: UnpackedFile): UnpackedFile {
  const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(file.path)?.[1]
  if (named === undefined || named === digestHex(file.digest)) return file
  throw new EngineError('invalid-argument', `${file.path} of the image archive has the digest ${file.digest}`)
}
