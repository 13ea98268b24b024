import { defaultLimits, readUncompressed, TarReader, TreeWriter } from '@engine/image'
import { openRoot } from '@engine/linux/paths'
import type { Unpack } from '../context/build-context.ts'

/** Unpacks an archive in this thread, where the engine has a worker do it. */
export const unpack: Unpack = async (file, directory, _signal, owner) => {
  using root = openRoot(directory)
  using writer = new TreeWriter(root.fd, { whiteouts: false, devices: false, limits: defaultLimits, owner })
  const reader = new TarReader(writer, defaultLimits)
  for await (const chunk of readUncompressed(file)) reader.push(chunk)
  reader.end()
  writer.end()
}
