import { TarReader, readUncompressed } from '@engine/image'
import { EngineError } from '@engine/linux'

/** Whether a file is a tar, compressed or not, that has an entry: then ADD unpacks it. @param path a path of ours, `/proc/self/fd/7` */
export async function isArchive(path: string): Promise<boolean> {
  let found = false
  const reader = new TarReader({
    entry: () => {
      found = true
      throw enough
    },
    content: () => undefined,
    finish: () => undefined,
  })
  try {
    for await (const chunk of readUncompressed(path)) {
      // The first entry stands at the beginning, after extended headers that are small.
      reader.push(chunk)
      if (found || reader.ended) break
    }
  } catch (error) {
    if (error === enough) return true
    // No tar, or nothing that can be uncompressed: a file like any other. That the host lacks a program must be told.
    if (error instanceof EngineError && error.code === 'invalid-argument') return false
    throw error
  }
  return found
}

const enough = Symbol('the first entry was read')
